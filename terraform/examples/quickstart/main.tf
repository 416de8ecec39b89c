# Jarvis on AWS, whole: models in a bucket, predictions on HTTPS, retraining by upload, the page behind CloudFront, and
# AWS Batch for jobs that are too large for a function (where subnets are given).

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ Application = "jarvis" }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

locals {
  # Unique in all of S3 without a random suffix that nobody can guess.
  bucket_name = coalesce(var.bucket_name, "${var.name}-${data.aws_caller_identity.current.account_id}-${var.region}")
  kms_keys    = var.kms_key_arn == null ? [] : [var.kms_key_arn]
}

module "bucket" {
  source = "../../modules/bucket"

  name        = local.bucket_name
  kms_key_arn = var.kms_key_arn
}

module "predict" {
  source = "../../modules/predict"

  name             = "${var.name}-predict"
  package          = "${var.packages_path}/predict-arm64.zip"
  bucket_name      = module.bucket.name
  bucket_arn       = module.bucket.arn
  kms_key_arns     = concat(local.kms_keys, var.token_kms_key_arns)
  endpoint         = var.endpoint
  authorization    = var.authorization
  jwt              = var.jwt
  token_secret_arn = var.token_secret_arn
  alarm_actions    = var.alarm_actions
}

module "batch" {
  source = "../../modules/batch"
  count  = var.batch == null ? 0 : 1

  name             = "${var.name}-train"
  image            = var.batch.image
  repository_arn   = var.batch.repository_arn
  vpc_id           = var.batch.vpc_id
  subnet_ids       = var.batch.subnet_ids
  assign_public_ip = var.batch.assign_public_ip
  spot             = var.batch.spot
  bucket_name      = module.bucket.name
  bucket_arn       = module.bucket.arn
  kms_key_arns     = local.kms_keys
}

module "retrain" {
  source = "../../modules/retrain"

  name          = "${var.name}-retrain"
  package       = "${var.packages_path}/retrain-arm64.zip"
  bucket_name   = module.bucket.name
  bucket_arn    = module.bucket.arn
  kms_key_arns  = local.kms_keys
  alarm_actions = var.alarm_actions

  batch = var.batch == null ? null : {
    job_queue_arn       = module.batch[0].job_queue_arn
    job_definition_arn  = module.batch[0].job_definition_arn
    job_definition_name = module.batch[0].job_definition_name
    from_megabytes      = var.batch.from_megabytes
  }
}

module "web" {
  source = "../../modules/web"
  count  = var.page_path == null ? 0 : 1

  name        = "${var.name}-web"
  bucket_name = "${local.bucket_name}-web"
  files_path  = var.page_path
  api_domain  = module.predict.domain
}
