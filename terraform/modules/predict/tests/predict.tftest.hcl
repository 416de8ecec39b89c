mock_provider "aws" {
  source = "../testing"
}

variables {
  name        = "jarvis-predict"
  package     = "tests/package.txt"
  bucket_name = "jarvis-test"
  bucket_arn  = "arn:aws:s3:::jarvis-test"
}

run "signed_requests_by_default" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_route.default[0].authorization_type == "AWS_IAM"
    error_message = "The endpoint must not be open."
  }

  assert {
    condition     = aws_apigatewayv2_integration.this[0].payload_format_version == "2.0"
    error_message = "The adapter reads payload format 2.0."
  }

  assert {
    condition     = length(aws_lambda_function_url.this) == 0
    error_message = "One endpoint, not two."
  }

  assert {
    condition     = aws_apigatewayv2_stage.default[0].default_route_settings[0].throttling_rate_limit == 100
    error_message = "Requests must be throttled."
  }
}

run "reads_models_and_writes_nothing" {
  command = plan

  assert {
    condition = toset(flatten([for s in output.policy.Statement : s.Action])) == toset([
      "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:ListBucket",
    ])
    error_message = "The role may read models and write logs, nothing else."
  }

  assert {
    condition = [for s in output.policy.Statement : s.Resource if s.Sid == "ReadModels"][0] == [
      "arn:aws:s3:::jarvis-test/blobs/*", "arn:aws:s3:::jarvis-test/index/*", "arn:aws:s3:::jarvis-test/models/*", "arn:aws:s3:::jarvis-test/quarantine-blobs/*",
    ]
    error_message = "Data sets and inbox are none of its business."
  }
}

run "jwt" {
  command = plan

  variables {
    authorization = "jwt"
    jwt           = { issuer = "https://id.example.com/", audience = ["jarvis"], scopes = ["predict"] }
  }

  assert {
    condition     = aws_apigatewayv2_route.default[0].authorization_type == "JWT" && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == "https://id.example.com/"
    error_message = "Tokens of the issuer must be asked for."
  }
}

run "token_by_reference" {
  command = plan

  variables {
    authorization    = "token"
    endpoint         = "function_url"
    token_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:jarvis-token-AbCdEf"
  }

  assert {
    condition     = aws_lambda_function_url.this[0].authorization_type == "NONE" && aws_lambda_permission.url_token[0].function_url_auth_type == "NONE"
    error_message = "The function checks the token, so AWS must let the request through."
  }

  assert {
    condition     = [for s in output.policy.Statement : s if s.Sid == "ReadToken"][0].Resource == ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:jarvis-token-AbCdEf"]
    error_message = "The role must be able to read that one secret."
  }
}

run "token_in_parameter_store" {
  command = plan

  variables {
    authorization    = "token"
    token_secret_arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/jarvis/token"
  }

  assert {
    condition     = [for s in output.policy.Statement : s if s.Sid == "ReadToken"][0].Action == ["ssm:GetParameter"]
    error_message = "A parameter is read with its own action."
  }
}

run "function_url_signed" {
  command = plan

  variables {
    endpoint     = "function_url"
    invoker_arns = ["arn:aws:iam::123456789012:role/caller"]
  }

  assert {
    condition     = aws_lambda_function_url.this[0].authorization_type == "AWS_IAM" && length(aws_lambda_permission.url_token) == 0
    error_message = "A Function URL is signed unless a token is configured."
  }

  assert {
    condition     = [for p in aws_lambda_permission.url_iam : p.principal] == ["arn:aws:iam::123456789012:role/caller"]
    error_message = "The named principals may call."
  }
}

run "url_cannot_check_jwt" {
  command = plan

  variables {
    endpoint      = "function_url"
    authorization = "jwt"
    jwt           = { issuer = "https://id.example.com/", audience = ["jarvis"] }
  }

  expect_failures = [var.authorization]
}

run "token_needs_its_secret" {
  command = plan

  variables {
    authorization = "token"
  }

  expect_failures = [var.token_secret_arn]
}

run "never_open" {
  command = plan

  variables {
    authorization = "none"
  }

  expect_failures = [var.authorization]
}

run "anyone_is_no_invoker" {
  command = plan

  variables {
    endpoint     = "function_url"
    invoker_arns = ["*"]
  }

  expect_failures = [var.invoker_arns]
}
