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

variable "read_prefixes" {
  description = "Parts of the bucket that the function may read: where the registry and its blobs are."
  type        = list(string)
  default     = ["blobs/", "index/", "models/", "quarantine-blobs/"]
  nullable    = false

  validation {
    condition     = length(var.read_prefixes) > 0 && alltrue([for p in var.read_prefixes : endswith(p, "/")])
    error_message = "read_prefixes must name at least one folder, with a slash at the end."
  }
}

variable "endpoint" {
  description = "How requests come in: http_api (API Gateway: JWT, throttling, access logs) or function_url (nothing in between)."
  type        = string
  default     = "http_api"
  nullable    = false

  validation {
    condition     = contains(["http_api", "function_url"], var.endpoint)
    error_message = "endpoint must be http_api or function_url."
  }
}

variable "authorization" {
  description = "Who may ask: iam (requests signed with SigV4), jwt (tokens of an OpenID provider, http_api only) or token (one bearer token, kept in token_secret_arn)."
  type        = string
  default     = "iam"
  nullable    = false

  validation {
    condition     = contains(["iam", "jwt", "token"], var.authorization)
    error_message = "authorization must be iam, jwt or token; there is no way to leave the endpoint open."
  }

  validation {
    condition     = !(var.authorization == "jwt" && var.endpoint == "function_url")
    error_message = "A Function URL cannot check a JWT: use endpoint = \"http_api\"."
  }
}

variable "jwt" {
  description = "Issuer URL, audiences and, where wanted, scopes of accepted tokens; needed with authorization = \"jwt\"."
  type = object({
    issuer   = string
    audience = list(string)
    scopes   = optional(list(string))
  })
  default = null

  validation {
    condition     = var.authorization != "jwt" || try(startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) > 0, false)
    error_message = "authorization = \"jwt\" needs jwt.issuer (an https URL) and at least one jwt.audience."
  }
}

variable "token_secret_arn" {
  description = "ARN of the Secrets Manager secret or SSM SecureString parameter that holds the bearer token; needed with authorization = \"token\". The function reads it when it starts; the token is neither in the state nor in the environment."
  type        = string
  default     = null

  validation {
    condition     = var.token_secret_arn == null || can(regex("^arn:[a-z0-9-]+:(secretsmanager:[^:]+:[0-9]+:secret:|ssm:[^:]+:[0-9]+:parameter/)", var.token_secret_arn))
    error_message = "token_secret_arn must be the ARN of a Secrets Manager secret or of an SSM parameter."
  }

  validation {
    condition     = (var.authorization == "token") == (var.token_secret_arn != null)
    error_message = "authorization = \"token\" needs token_secret_arn, and only it does."
  }
}

variable "kms_key_arns" {
  description = "KMS keys that the bucket and the token are encrypted with, where they are your own."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for k in var.kms_key_arns : can(regex("^arn:[a-z0-9-]+:kms:", k))])
    error_message = "kms_key_arns must be ARNs of KMS keys."
  }
}

variable "invoker_arns" {
  description = "IAM principals that may call the Function URL besides those whose own policies allow it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.invoker_arns : can(regex("^arn:[a-z0-9-]+:(iam|sts)::[0-9]{12}:", a))])
    error_message = "invoker_arns must be ARNs of IAM principals; \"*\" is not one."
  }
}

variable "cors_origins" {
  description = "Origins of other web pages that may call the endpoint, such as https://example.com. Empty: none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for o in var.cors_origins : can(regex("^https?://[^/*]+$", o))])
    error_message = "cors_origins must be origins (scheme and host) without a path or a wildcard."
  }
}

variable "throttle" {
  description = "Requests per second that the HTTP API lets through in the long run, and at once."
  type = object({
    rate  = optional(number, 100)
    burst = optional(number, 200)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst > 0
    error_message = "throttle.rate and throttle.burst must be greater than zero."
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
