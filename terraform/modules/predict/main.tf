# The function that answers predictions: it reads models from the bucket and writes nothing.

locals {
  # Secrets Manager and Parameter Store have their own actions for the same thing.
  read_secret = var.token_secret_arn == null ? [] : [{
    sid       = "ReadToken"
    actions   = [can(regex(":ssm:", var.token_secret_arn)) ? "ssm:GetParameter" : "secretsmanager:GetSecretValue"]
    resources = [var.token_secret_arn]
  }]

  decrypt = length(var.kms_key_arns) == 0 ? [] : [{
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = var.kms_key_arns
  }]
}

module "function" {
  source = "../function"

  name                     = var.name
  description              = "Jarvis: predictions from the models in ${var.bucket_name}."
  package                  = var.package
  architecture             = var.architecture
  memory_mb                = var.memory_mb
  timeout_seconds          = var.timeout_seconds
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
      JARVIS_BUCKET        = "s3://${var.bucket_name}"
      JARVIS_AUTHORIZATION = var.authorization == "token" ? "token" : "gateway"
    },
    var.token_secret_arn == null ? {} : { JARVIS_TOKEN_REF = var.token_secret_arn },
  )

  statements = concat(
    [
      {
        # Without it, or with a condition on prefixes, S3 answers 403 and not 404 for an object that is not there, and a
        # store that refuses cannot be told from a log that has ended. It shows names, not contents.
        sid       = "FindModels"
        actions   = ["s3:ListBucket"]
        resources = [var.bucket_arn]
      },
      {
        sid       = "ReadModels"
        actions   = ["s3:GetObject"]
        resources = [for p in var.read_prefixes : "${var.bucket_arn}/${p}*"]
      },
    ],
    local.read_secret,
    local.decrypt,
  )
}
