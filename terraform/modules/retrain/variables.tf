variable "name" {
  description = "Name of the function, its role, and the stem of its log group and alarms."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A function name has 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that holds the models: output name of the module bucket."
  type        = string

  validation {
    condition     = length(var.bucket_name) >= 3
    error_message = "bucket_name must be the name of a bucket."
  }
}

variable "bucket_arn" {
  description = "ARN of that bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:s3:::", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of a bucket."
  }
}

variable "prefix" {
  description = "Folder of the bucket whose new objects start a retraining; the part after it is the model's name."
  type        = string
  default     = "inbox/"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9/_-]+/$", var.prefix))
    error_message = "prefix must be a folder with a slash at the end."
  }
}

variable "write_prefixes" {
  description = "Parts of the bucket that the function reads, writes and deletes: registry, blobs, datasets, inbox, quarantine."
  type        = list(string)
  default     = ["blobs/", "datasets/", "index/", "inbox/", "jobs/", "models/", "quarantine-blobs/", "quarantine/"]
  nullable    = false

  validation {
    condition     = length(var.write_prefixes) > 0 && alltrue([for p in var.write_prefixes : endswith(p, "/")])
    error_message = "write_prefixes must name at least one folder, with a slash at the end."
  }
}

variable "margin" {
  description = "How much worse than the champion on the same holdout a challenger may be and still be promoted, as a share of the champion's score."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.margin >= 0
    error_message = "margin must not be negative."
  }
}

variable "batch" {
  description = "Where jobs go that are too large for the function: queue and job definition of the module batch, and the number of bytes of data from which on they go there. Null: all are done here."
  type = object({
    job_queue_arn       = string
    job_definition_arn  = string
    from_megabytes      = optional(number, 50)
    job_definition_name = string
  })
  default = null

  validation {
    condition     = var.batch == null || try(var.batch.from_megabytes >= 1, false)
    error_message = "batch.from_megabytes must be at least 1."
  }
}

variable "kms_key_arns" {
  description = "KMS keys that the bucket is encrypted with, where they are your own."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for k in var.kms_key_arns : can(regex("^arn:[a-z0-9-]+:kms:", k))])
    error_message = "kms_key_arns must be ARNs of KMS keys."
  }
}

variable "queue_kms_key_arn" {
  description = "KMS key of the dead-letter queue. Null: encrypted with keys that SQS manages."
  type        = string
  default     = null

  validation {
    condition     = var.queue_kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:", var.queue_kms_key_arn))
    error_message = "queue_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "retries" {
  description = "Times that Lambda tries a failed event again, 0 to 2, before it goes to the dead-letter queue."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([0, 1, 2], var.retries)
    error_message = "retries must be 0, 1 or 2."
  }
}

variable "package" {
  description = "Path of the zip with the binary bootstrap at its root, as make lambda writes it."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "The package does not exist. Run make lambda first."
  }
}

variable "architecture" {
  description = "Processor that the package was built for: arm64 (cheaper per request) or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory in MB, 128 to 10240. The processor grows with it: 1769 MB is one core."
  type        = number
  default     = 3008
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which an invocation is stopped, 1 to 900."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "Invocations that may run at once; -1 leaves it to the account's limit."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= -1
    error_message = "reserved_concurrency must be -1 or a number of invocations."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the role, or null."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z0-9-]+:iam::", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "tracing" {
  description = "Trace invocations with X-Ray."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch Logs knows, such as 7, 30, 90 or 365."
  }
}

variable "log_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the logs. Null: a key that CloudWatch manages."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "alarms" {
  description = "Thresholds per five minutes: failed invocations, throttled invocations, and the 99th percentile of the duration in milliseconds (null: four fifths of the timeout), which must be passed three times in a row."
  type = object({
    errors    = optional(number, 1)
    throttles = optional(number, 1)
    p99_ms    = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.alarms.errors > 0 && var.alarms.throttles > 0 && try(var.alarms.p99_ms == null || var.alarms.p99_ms > 0, true)
    error_message = "Thresholds must be greater than zero."
  }
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm goes off and when it is over, usually one SNS topic."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.alarm_actions : startswith(a, "arn:")])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "scratch_mb" {
  description = "Size of /tmp in MB, 512 to 10240."
  type        = number
  default     = 4096
  nullable    = false

  validation {
    condition     = var.scratch_mb >= 512 && var.scratch_mb <= 10240
    error_message = "scratch_mb must be from 512 to 10240."
  }
}
