# One Lambda function of Jarvis: a static Go binary called bootstrap, its role, its log group and its alarms. The modules
# predict and retrain add what starts it.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  scope     = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"

  # Built from the name, so that a plan shows every policy in full.
  arn       = "arn:${local.partition}:lambda:${local.scope}:function:${var.name}"
  log_group = "/aws/lambda/${var.name}"
  log_arn   = "arn:${local.partition}:logs:${local.scope}:log-group:${local.log_group}"

  statements = concat(
    [{ sid = "WriteLogs", actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["${local.log_arn}:*"] }],
    var.statements,
  )
}

# Logs hold no rows and no tokens; a key of one's own is a choice (log_kms_key_arn).
#tfsec:ignore:aws-cloudwatch-log-group-customer-key
resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What the function ${var.name} may do."
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "use"
  role = aws_iam_role.this.id

  # The only wildcards are the streams of the function's own log group, and the objects below the prefixes that the caller
  # names: variable statements refuses wildcards in actions, and "*".
  #tfsec:ignore:aws-iam-no-policy-wildcards
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for s in local.statements : merge(
      { Sid = s.sid, Effect = "Allow", Action = s.actions, Resource = s.resources },
      try(length(s.conditions), 0) == 0 ? {} : { Condition = s.conditions },
    )]
  })
}

# X-Ray has no resources to name: AWS documents "*" as the only one for these two actions.
resource "aws_iam_role_policy" "trace" {
  count = var.tracing ? 1 : 0

  name = "trace"
  role = aws_iam_role.this.id

  #tfsec:ignore:aws-iam-no-policy-wildcards
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Trace"
      Effect   = "Allow"
      Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      Resource = "*"
    }]
  })
}

# Tracing costs per request and is a choice (tracing = true).
#tfsec:ignore:aws-lambda-enable-tracing
resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  tags          = var.tags

  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency

  ephemeral_storage {
    size = var.scratch_mb
  }

  environment {
    variables = merge(var.environment, {
      # Go collects garbage before Lambda's limit kills the process: nine tenths of the memory.
      GOMEMLIMIT = "${floor(var.memory_mb * 0.9)}MiB"
    })
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # The first invocation must not find a role that cannot write logs yet.
  depends_on = [aws_iam_role_policy.this]
}
