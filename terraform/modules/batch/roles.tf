# Two roles: what Fargate does to start a job (pull the image, write logs), and what the job itself may do (the bucket).

locals {
  # Tasks may take a role only on behalf of this account.
  assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  pull = var.repository_arn == null ? [] : [{
    Sid      = "PullImage"
    Effect   = "Allow"
    Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    Resource = [var.repository_arn]
  }]
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-start"
  description          = "What Fargate may do to start a training job."
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name = "use"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.log_arn}:*"]
      }],
      local.pull,
    )
  })
}

# The token that opens a registry belongs to the account: AWS documents "*" as its only resource.
resource "aws_iam_role_policy" "registry" {
  count = var.repository_arn == null ? 0 : 1

  name = "registry"
  role = aws_iam_role.execution.id

  #tfsec:ignore:aws-iam-no-policy-wildcards
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "OpenRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = "*"
    }]
  })
}

resource "aws_iam_role" "job" {
  name                 = var.name
  description          = "What a training job may do."
  assume_role_policy   = local.assume
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "job" {
  name = "use"
  role = aws_iam_role.job.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          # With a condition on prefixes S3 would answer 403 and not 404 for an object that is not there.
          Sid      = "FindObjects"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [var.bucket_arn]
        },
        {
          Sid      = "UseObjects"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
          Resource = [for p in var.write_prefixes : "${var.bucket_arn}/${p}*"]
        },
      ],
      length(var.kms_key_arns) == 0 ? [] : [{
        Sid      = "UseKeys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.kms_key_arns
      }],
    )
  })
}
