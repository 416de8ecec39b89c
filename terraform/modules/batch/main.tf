# AWS Batch on Fargate: the same container as everywhere, run with the command of a job that is too large for the function.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # Built from the names, so that a plan shows every policy in full.
  queue_arn      = "arn:${local.partition}:batch:${local.region}:${local.account}:job-queue/${var.name}"
  definition_arn = "arn:${local.partition}:batch:${local.region}:${local.account}:job-definition/${var.name}"
  log_group      = "/aws/batch/${var.name}"
  log_arn        = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
}

# Logs hold no rows and no tokens; a key of one's own is a choice (log_kms_key_arn).
#tfsec:ignore:aws-cloudwatch-log-group-customer-key
resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Training jobs of Jarvis: nothing comes in, HTTPS goes out."
  vpc_id      = var.vpc_id
  tags        = var.tags
}

# S3, ECR and CloudWatch Logs are reached at public addresses that change; gateway and interface endpoints of the VPC
# take this traffic where they exist.
#tfsec:ignore:aws-ec2-no-public-egress-sgr
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  tags              = var.tags
}

resource "aws_batch_compute_environment" "this" {
  name  = var.name
  type  = "MANAGED"
  state = "ENABLED"
  tags  = var.tags

  compute_resources {
    type               = var.spot ? "FARGATE_SPOT" : "FARGATE"
    max_vcpus          = var.max_vcpus
    subnets            = var.subnet_ids
    security_group_ids = [aws_security_group.this.id]
  }
}

resource "aws_batch_job_queue" "this" {
  name     = var.name
  state    = "ENABLED"
  priority = 1
  tags     = var.tags

  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.this.arn
  }
}

resource "aws_batch_job_definition" "this" {
  name                  = var.name
  type                  = "container"
  platform_capabilities = ["FARGATE"]
  propagate_tags        = true
  tags                  = var.tags

  # The command is what jarvis understands; who submits a job replaces it with the job's own.
  container_properties = jsonencode({
    image            = var.image
    command          = ["--help"]
    jobRoleArn       = "arn:${local.partition}:iam::${local.account}:role/${aws_iam_role.job.name}"
    executionRoleArn = "arn:${local.partition}:iam::${local.account}:role/${aws_iam_role.execution.name}"

    resourceRequirements = [
      { type = "VCPU", value = tostring(var.vcpus) },
      { type = "MEMORY", value = tostring(var.memory_mb) },
    ]

    environment = [
      { name = "GOMEMLIMIT", value = "${floor(var.memory_mb * 0.9)}MiB" },
      { name = "JARVIS_BUCKET", value = "s3://${var.bucket_name}" },
      { name = "TMPDIR", value = "/tmp" },
    ]

    # Nothing can be written but the scratch volume at /tmp.
    readonlyRootFilesystem = true
    volumes                = [{ name = "scratch" }]
    mountPoints            = [{ sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }]
    ephemeralStorage       = { sizeInGiB = var.scratch_gb }

    runtimePlatform              = { operatingSystemFamily = "LINUX", cpuArchitecture = var.architecture }
    fargatePlatformConfiguration = { platformVersion = "LATEST" }
    networkConfiguration         = { assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED" }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = "job"
      }
    }
  })

  # Only what another try can cure is tried again: a machine taken back or lost, an image that could not be pulled.
  # A job that ends with an error of its own would end the same way again.
  retry_strategy {
    attempts = var.attempts

    evaluate_on_exit {
      action           = "RETRY"
      on_status_reason = "Host EC2*"
    }

    evaluate_on_exit {
      action           = "RETRY"
      on_status_reason = "*Spot interruption*"
    }

    evaluate_on_exit {
      action    = "RETRY"
      on_reason = "CannotPullContainerError*"
    }

    evaluate_on_exit {
      action    = "RETRY"
      on_reason = "ResourceInitializationError*"
    }

    evaluate_on_exit {
      action    = "EXIT"
      on_reason = "*"
    }
  }

  timeout {
    attempt_duration_seconds = var.timeout_seconds
  }
}
