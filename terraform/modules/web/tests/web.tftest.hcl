mock_provider "aws" {
  source = "../testing"
}

variables {
  name        = "jarvis-web"
  bucket_name = "jarvis-test-web"
}

run "only_cloudfront_reads" {
  # Applied to the mock, in memory: the policy holds the distribution's ARN, which a plan does not know.
  command = apply

  assert {
    condition     = aws_s3_bucket_public_access_block.page.block_public_policy && aws_s3_bucket_public_access_block.page.restrict_public_buckets
    error_message = "The bucket must be private."
  }

  assert {
    condition = [for s in jsondecode(aws_s3_bucket_policy.page.policy).Statement : s if s.Effect == "Allow"] == [{
      Sid       = "CloudFrontReads"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::jarvis-test-web/*"
      Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE" } }
    }]
    error_message = "This distribution may read, and nobody else may do anything."
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.page.signing_behavior == "always"
    error_message = "CloudFront must sign its requests."
  }

  assert {
    condition     = output.url == "https://d111111abcdef8.cloudfront.net"
    error_message = "The page is at CloudFront's name."
  }
}

run "headers_and_fallback" {
  command = plan

  assert {
    condition     = aws_cloudfront_distribution.page.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"
    error_message = "Plain HTTP must be redirected."
  }

  assert {
    condition     = strcontains(aws_cloudfront_response_headers_policy.page.security_headers_config[0].content_security_policy[0].content_security_policy, "'wasm-unsafe-eval'")
    error_message = "The predictor in the page is WebAssembly."
  }

  assert {
    condition     = aws_cloudfront_response_headers_policy.page.security_headers_config[0].strict_transport_security[0].access_control_max_age_sec >= 31536000
    error_message = "Browsers must remember to use TLS."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.page.default_cache_behavior[0].function_association).event_type == "viewer-request"
    error_message = "Paths of the page must end at index.html."
  }

  assert {
    condition     = length(aws_cloudfront_distribution.page.custom_error_response) == 0 && length(aws_cloudfront_distribution.page.ordered_cache_behavior) == 0
    error_message = "Error documents would hide the API's own errors."
  }
}

run "api_on_the_same_host" {
  command = plan

  variables {
    api_domain = "abc123.execute-api.eu-central-1.amazonaws.com"
  }

  assert {
    condition     = toset([for b in aws_cloudfront_distribution.page.ordered_cache_behavior : b.path_pattern]) == toset(["/api/*", "/models/*", "/v2", "/v2/*", "/openapi.json", "/docs"])
    error_message = "The paths of the API must go to it."
  }

  assert {
    condition = alltrue([
      for b in aws_cloudfront_distribution.page.ordered_cache_behavior :
      b.target_origin_id == "api" && b.cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" && contains(b.allowed_methods, "POST")
    ])
    error_message = "Predictions must not be cached."
  }
}

run "files" {
  command = plan

  variables {
    files_path = "tests/page"
  }

  assert {
    condition     = aws_s3_object.file["jarvis-predict.wasm"].content_type == "application/wasm" && aws_s3_object.file["index.html"].cache_control == "no-cache"
    error_message = "Browsers compile WebAssembly as it streams in only with its own type; the document must be fresh."
  }

  assert {
    condition     = aws_s3_object.file["assets/index-0a1b.js"].cache_control == "public, max-age=31536000, immutable"
    error_message = "Names with a hash can be kept for ever."
  }
}

run "own_name_needs_certificate" {
  command = plan

  variables {
    domain_names = ["jarvis.example.com"]
  }

  expect_failures = [var.certificate_arn]
}

run "own_name" {
  command = plan

  variables {
    domain_names    = ["jarvis.example.com"]
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0b1f"
  }

  assert {
    condition     = aws_cloudfront_distribution.page.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "Old TLS must be refused."
  }
}
