mock_provider "aws" {
  source = "../testing"
}

variables {
  name    = "jarvis-test"
  package = "tests/package.txt"
}

run "go_on_arm64" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.handler == "bootstrap"
    error_message = "The function must run bootstrap on arm64."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/package.txt")
    error_message = "A new package must be deployed."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.GOMEMLIMIT == "460MiB"
    error_message = "The collector must know the limit."
  }
}

run "role_says_what_it_means" {
  command = plan

  variables {
    statements = [{ sid = "Read", actions = ["s3:GetObject"], resources = ["arn:aws:s3:::b/*"] }]
  }

  assert {
    condition     = length(regexall("\"\\*\"", aws_iam_role_policy.this.policy)) == 0
    error_message = "No bare wildcard."
  }

  assert {
    condition = alltrue(flatten([
      for s in jsondecode(aws_iam_role_policy.this.policy).Statement : [for a in s.Action : !strcontains(a, "*")]
    ]))
    error_message = "No action with a wildcard."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/jarvis-test:*"]
    error_message = "Logs go to its own group only."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Service == "lambda.amazonaws.com"
    error_message = "Only Lambda may take the role."
  }

  assert {
    condition     = length(aws_iam_role_policy.trace) == 0 && aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
    error_message = "No tracing unless asked for."
  }
}

run "logs_end" {
  command = plan

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.name == "/aws/lambda/jarvis-test"
    error_message = "Logs must not be kept for ever."
  }
}

run "alarms" {
  command = plan

  variables {
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:ops"]
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["errors", "throttles", "duration"])
    error_message = "Errors, throttles and duration must be watched."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.dimensions.FunctionName == "jarvis-test" && a.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:ops"])])
    error_message = "Alarms must watch this function and tell somebody."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["duration"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["duration"].threshold == 23200
    error_message = "Duration is watched at p99, four fifths of the timeout."
  }
}

run "no_secret_in_environment" {
  command = plan

  variables {
    environment = { JARVIS_TOKEN = "hunter2" }
  }

  expect_failures = [var.environment]
}

run "no_wildcard_action" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["s3:*"], resources = ["arn:aws:s3:::b/*"] }]
  }

  expect_failures = [var.statements]
}

run "no_wildcard_resource" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["s3:GetObject"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "missing_package" {
  command = plan

  variables {
    package = "tests/nothing.zip"
  }

  expect_failures = [var.package]
}
