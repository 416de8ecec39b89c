variable "name" {
  description = "Name of the bucket, unique in all of S3."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket name has 3 to 63 lower-case letters, digits and hyphens, and starts and ends with a letter or digit."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects. Null: keys that S3 manages (SSE-S3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "keep_noncurrent_days" {
  description = "Days that overwritten and deleted versions of an object stay recoverable."
  type        = number
  default     = 90

  validation {
    condition     = var.keep_noncurrent_days >= 1 && floor(var.keep_noncurrent_days) == var.keep_noncurrent_days
    error_message = "keep_noncurrent_days must be a whole number of at least 1."
  }
}

variable "abort_uploads_after_days" {
  description = "Days after which the parts of an unfinished multipart upload are removed."
  type        = number
  default     = 7

  validation {
    condition     = var.abort_uploads_after_days >= 1 && floor(var.abort_uploads_after_days) == var.abort_uploads_after_days
    error_message = "abort_uploads_after_days must be a whole number of at least 1."
  }
}

variable "keep_quarantine_days" {
  description = "Days that refused files stay under quarantine/. Null: for ever."
  type        = number
  default     = null

  validation {
    condition     = var.keep_quarantine_days == null || try(var.keep_quarantine_days >= 1, false)
    error_message = "keep_quarantine_days must be at least 1."
  }
}

variable "log_bucket" {
  description = "Bucket that receives S3 access logs. Null: no access logs."
  type        = string
  default     = null

  validation {
    condition     = var.log_bucket == null || try(length(var.log_bucket) >= 3, false)
    error_message = "log_bucket must be the name of a bucket."
  }
}

variable "force_destroy" {
  description = "Let terraform destroy delete the bucket with all models and data in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
