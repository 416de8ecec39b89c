# The function that an upload to inbox/ starts: it checks the file, adds it to its dataset, trains, compares and promotes,
# or hands the job to AWS Batch. What fails for good ends in a queue that somebody looks at.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  scope     = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
  queue     = "${var.name}-failed"
  queue_arn = "arn:${data.aws_partition.current.partition}:sqs:${local.scope}:${local.queue}"

  submit = var.batch == null ? [] : [{
    sid       = "SubmitJobs"
    actions   = ["batch:SubmitJob"]
    resources = [var.batch.job_queue_arn, var.batch.job_definition_arn, "${var.batch.job_definition_arn}:*"]
  }]

  use_keys = length(var.kms_key_arns) == 0 ? [] : [{
    sid       = "UseKeys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = var.kms_key_arns
  }]

  use_queue_key = var.queue_kms_key_arn == null ? [] : [{
    sid       = "UseQueueKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.queue_kms_key_arn]
  }]
}

module "function" {
  source = "../function"

  name                     = var.name
  description              = "Jarvis: trains again when data arrives under ${var.prefix} of ${var.bucket_name}."
  package                  = var.package
  architecture             = var.architecture
  memory_mb                = var.memory_mb
  timeout_seconds          = var.timeout_seconds
  scratch_mb               = var.scratch_mb
  reserved_concurrency     = var.reserved_concurrency
  permissions_boundary_arn = var.permissions_boundary_arn
  tracing                  = var.tracing
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = var.log_kms_key_arn
  alarms                   = var.alarms
  alarm_actions            = var.alarm_actions
  tags                     = var.tags

  environment = merge(
    {
      JARVIS_BUCKET         = "s3://${var.bucket_name}"
      JARVIS_RETRAIN_PREFIX = var.prefix
      JARVIS_RETRAIN_MARGIN = tostring(var.margin)
    },
    var.batch == null ? {} : {
      JARVIS_BATCH_QUEUE      = var.batch.job_queue_arn
      JARVIS_BATCH_DEFINITION = var.batch.job_definition_name
      JARVIS_BATCH_FROM_MB    = tostring(var.batch.from_megabytes)
    },
  )

  statements = concat(
    [
      {
        # With a condition on prefixes S3 would answer 403 and not 404 for an object that is not there.
        sid       = "FindObjects"
        actions   = ["s3:ListBucket"]
        resources = [var.bucket_arn]
      },
      {
        sid       = "UseObjects"
        actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        resources = [for p in var.write_prefixes : "${var.bucket_arn}/${p}*"]
      },
      {
        sid       = "ReportFailure"
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arn]
      },
    ],
    local.submit,
    local.use_keys,
    local.use_queue_key,
  )
}

# S3 keeps one notification configuration a bucket: a bucket that notifies others too needs it declared in one place.
resource "aws_s3_bucket_notification" "inbox" {
  bucket = var.bucket_name

  lambda_function {
    id                  = var.name
    lambda_function_arn = module.function.arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = var.prefix
  }

  depends_on = [aws_lambda_permission.bucket]
}

resource "aws_lambda_permission" "bucket" {
  statement_id   = "inbox"
  action         = "lambda:InvokeFunction"
  function_name  = module.function.name
  principal      = "s3.amazonaws.com"
  source_arn     = var.bucket_arn
  source_account = data.aws_caller_identity.current.account_id
}
