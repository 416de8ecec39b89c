variable "name" {
  description = "Name of the function, its role, and the stem of its log group and alarms."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A function name has 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "description" {
  description = "What the function does, for people who see it in the console."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.description) <= 256
    error_message = "A description has at most 256 characters."
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
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which an invocation is stopped, 1 to 900."
  type        = number
  default     = 29
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900."
  }
}

variable "scratch_mb" {
  description = "Size of /tmp in MB, 512 to 10240."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.scratch_mb >= 512 && var.scratch_mb <= 10240
    error_message = "scratch_mb must be from 512 to 10240."
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

variable "environment" {
  description = "Environment of the function. References to secrets belong here, secrets do not: names that end in TOKEN, SECRET_VALUE, PASSWORD or KEY are refused."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for k in keys(var.environment) : !can(regex("(TOKEN|SECRET_VALUE|PASSWORD|_KEY)$", k))])
    error_message = "Secrets do not belong into the environment: they would be readable in the state and in the console. Pass the ARN of a Secrets Manager secret or SSM parameter."
  }
}

variable "statements" {
  description = "What the function's role may do beside writing its logs."
  type = list(object({
    sid        = string
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue(flatten([for s in var.statements : [for a in s.actions : !strcontains(a, "*")]]))
    error_message = "Name the actions: a wildcard grants more than is needed."
  }

  validation {
    condition     = alltrue(flatten([for s in var.statements : [for r in s.resources : r != "*"]]))
    error_message = "Name the resources: \"*\" grants more than is needed."
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
