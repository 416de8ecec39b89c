mock_provider "aws" {
  source = "../testing"
}

variables {
  name        = "jarvis-train"
  image       = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jarvis:1.0.0"
  bucket_name = "jarvis-test"
  bucket_arn  = "arn:aws:s3:::jarvis-test"
  vpc_id      = "vpc-0123"
  subnet_ids  = ["subnet-0123", "subnet-4567"]
}

run "fargate_on_arm64" {
  command = plan

  assert {
    condition     = aws_batch_compute_environment.this.compute_resources[0].type == "FARGATE" && aws_batch_job_definition.this.platform_capabilities == toset(["FARGATE"])
    error_message = "Jobs must run on Fargate."
  }

  assert {
    condition     = jsondecode(aws_batch_job_definition.this.container_properties).runtimePlatform.cpuArchitecture == "ARM64"
    error_message = "Jobs must run on arm64."
  }

  assert {
    condition     = jsondecode(aws_batch_job_definition.this.container_properties).readonlyRootFilesystem && jsondecode(aws_batch_job_definition.this.container_properties).mountPoints[0].containerPath == "/tmp"
    error_message = "Only /tmp may be written."
  }

  assert {
    condition     = jsondecode(aws_batch_job_definition.this.container_properties).networkConfiguration.assignPublicIp == "DISABLED"
    error_message = "No public address unless asked for."
  }
}

run "bounded" {
  command = plan

  assert {
    condition     = aws_batch_job_definition.this.timeout[0].attempt_duration_seconds == 14400 && aws_batch_job_definition.this.retry_strategy[0].attempts == 3
    error_message = "A job must end, and be tried a bounded number of times."
  }

  assert {
    condition     = reverse(aws_batch_job_definition.this.retry_strategy[0].evaluate_on_exit)[0].action == "EXIT"
    error_message = "An error of the job itself must not be tried again."
  }

  assert {
    condition     = aws_batch_compute_environment.this.compute_resources[0].max_vcpus == 16
    error_message = "The bill must have a bound."
  }
}

run "roles" {
  command = plan

  variables {
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/jarvis"
  }

  assert {
    condition = alltrue(flatten([
      for s in jsondecode(aws_iam_role_policy.job.policy).Statement : [for r in s.Resource : r != "*" && r != "arn:aws:s3:::jarvis-test/*"]
    ]))
    error_message = "The job's role must name what it may use."
  }

  assert {
    condition = alltrue(flatten([
      for s in jsondecode(aws_iam_role_policy.job.policy).Statement : [for a in s.Action : startswith(a, "s3:") && !strcontains(a, "*")]
    ]))
    error_message = "A job needs the bucket and nothing else."
  }

  assert {
    condition     = jsondecode(aws_iam_role.job.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Only tasks of this account may take the role."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.registry[0].policy).Statement[0].Action == ["ecr:GetAuthorizationToken"]
    error_message = "The one action on \"*\" is the one that AWS knows no resource for."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource if s.Sid == "PullImage"][0] == ["arn:aws:ecr:eu-central-1:123456789012:repository/jarvis"]
    error_message = "Only the given repository may be pulled from."
  }
}

run "nothing_comes_in" {
  command = plan

  assert {
    condition     = aws_vpc_security_group_egress_rule.https.from_port == 443 && aws_vpc_security_group_egress_rule.https.to_port == 443
    error_message = "Only HTTPS may go out."
  }
}

run "what_fargate_does_not_offer" {
  command = plan

  variables {
    vcpus     = 2
    memory_mb = 32768
  }

  expect_failures = [var.memory_mb]
}

run "no_latest" {
  command = plan

  variables {
    image = "jarvis:latest"
  }

  expect_failures = [var.image]
}
