mock_provider "aws" {
  source = "../testing"
}

variables {
  name        = "jarvis-retrain"
  package     = "tests/package.txt"
  bucket_name = "jarvis-test"
  bucket_arn  = "arn:aws:s3:::jarvis-test"
}

run "only_the_inbox_starts_it" {
  command = plan

  assert {
    condition     = length(aws_s3_bucket_notification.inbox.lambda_function) == 1 && aws_s3_bucket_notification.inbox.lambda_function[0].filter_prefix == "inbox/"
    error_message = "What the function writes elsewhere must not start it again."
  }

  assert {
    condition     = aws_s3_bucket_notification.inbox.lambda_function[0].events == toset(["s3:ObjectCreated:*"])
    error_message = "Every way to create an object must count, multipart and copy included."
  }

  assert {
    condition     = aws_lambda_permission.bucket.source_arn == "arn:aws:s3:::jarvis-test" && aws_lambda_permission.bucket.source_account == "123456789012"
    error_message = "Only this bucket, while this account owns it, may start the function."
  }
}

run "failures_are_kept" {
  command = plan

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-central-1:123456789012:jarvis-retrain-failed"
    error_message = "A failed event must not vanish."
  }

  assert {
    condition     = aws_sqs_queue.failed.sqs_managed_sse_enabled && aws_sqs_queue.failed.message_retention_seconds == 1209600
    error_message = "The queue must be encrypted and keep events for 14 days."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.failed.threshold == 0 && aws_cloudwatch_metric_alarm.failed.dimensions.QueueName == "jarvis-retrain-failed"
    error_message = "One message in the queue is an alarm."
  }
}

run "no_wildcards_in_the_role" {
  command = plan

  assert {
    condition     = alltrue(flatten([for s in output.policy.Statement : [for a in s.Action : !strcontains(a, "*")]]))
    error_message = "Every action must be named."
  }

  assert {
    condition     = alltrue(flatten([for s in output.policy.Statement : [for r in s.Resource : r != "*" && r != "arn:aws:s3:::jarvis-test/*"]]))
    error_message = "Every resource must be named."
  }

  assert {
    condition     = !contains(flatten([for s in output.policy.Statement : s.Action]), "batch:SubmitJob")
    error_message = "Without Batch there is nothing to submit."
  }
}

run "batch" {
  command = plan

  variables {
    batch = {
      job_queue_arn       = "arn:aws:batch:eu-central-1:123456789012:job-queue/jarvis"
      job_definition_arn  = "arn:aws:batch:eu-central-1:123456789012:job-definition/jarvis"
      job_definition_name = "jarvis"
    }
  }

  assert {
    condition = [for s in output.policy.Statement : s.Resource if s.Sid == "SubmitJobs"][0] == [
      "arn:aws:batch:eu-central-1:123456789012:job-queue/jarvis",
      "arn:aws:batch:eu-central-1:123456789012:job-definition/jarvis",
      "arn:aws:batch:eu-central-1:123456789012:job-definition/jarvis:*",
    ]
    error_message = "The function may submit this job to this queue only."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.batch_failed[0].event_pattern).detail == { status = ["FAILED"], jobQueue = ["arn:aws:batch:eu-central-1:123456789012:job-queue/jarvis"] }
    error_message = "Failed jobs of this queue must be noticed."
  }

  assert {
    condition     = anytrue([for s in jsondecode(aws_sqs_queue_policy.failed.policy).Statement : s.Effect == "Allow" && try(s.Principal.Service, "") == "events.amazonaws.com"])
    error_message = "EventBridge must be able to put them into the queue."
  }
}

run "prefix_is_a_folder" {
  command = plan

  variables {
    prefix = "inbox"
  }

  expect_failures = [var.prefix]
}
