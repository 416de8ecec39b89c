mock_provider "aws" {
  source = "../../modules/testing"
}

variables {
  packages_path = "tests/packages"
}

run "small" {
  command = plan

  assert {
    condition     = module.bucket.name == "jarvis-123456789012-eu-central-1"
    error_message = "The bucket's name must be unique and readable."
  }

  assert {
    condition     = length(module.batch) == 0 && length(module.web) == 0
    error_message = "Batch and page are choices."
  }

  assert {
    condition = alltrue(flatten([
      for p in [module.predict.policy, module.retrain.policy] :
      [for s in p.Statement : concat([for a in s.Action : !strcontains(a, "*")], [for r in s.Resource : r != "*"])]
    ]))
    error_message = "No role may have a bare wildcard."
  }

  assert {
    condition     = !contains(flatten([for s in module.predict.policy.Statement : s.Action]), "s3:PutObject")
    error_message = "What answers the public must not be able to change a model."
  }
}

run "whole" {
  command = plan

  variables {
    authorization    = "token"
    token_secret_arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/jarvis/token"
    page_path        = "tests/page"
    batch = {
      image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jarvis:1.0.0"
      vpc_id     = "vpc-0123"
      subnet_ids = ["subnet-0123"]
    }
  }

  assert {
    condition     = [for s in module.retrain.policy.Statement : s.Resource[0] if s.Sid == "SubmitJobs"] == ["arn:aws:batch:eu-central-1:123456789012:job-queue/jarvis-train"]
    error_message = "Large jobs must go to the queue that this stack creates."
  }

  assert {
    condition     = length(module.web) == 1
    error_message = "The page must be there."
  }
}

run "a_page_cannot_sign" {
  command = plan

  variables {
    page_path = "tests/page"
  }

  expect_failures = [var.authorization]
}
