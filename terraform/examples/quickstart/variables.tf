variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-central-1."
  }
}

variable "name" {
  description = "Stem of every name."
  type        = string
  default     = "jarvis"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}$", var.name))
    error_message = "name must start with a letter and have at most 24 lower-case letters, digits and hyphens."
  }
}

variable "bucket_name" {
  description = "Name of the bucket. Null: NAME-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,57}[a-z0-9]$", var.bucket_name))
    error_message = "A bucket name has 3 to 59 lower-case letters, digits and hyphens here, as -web is added to it for the page."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the bucket. Null: keys of S3."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "packages_path" {
  description = "Folder with predict-arm64.zip and retrain-arm64.zip, as make lambda writes it."
  type        = string
  default     = "../../../dist/lambda"
  nullable    = false

  validation {
    condition     = length(var.packages_path) > 0
    error_message = "packages_path must be a folder."
  }
}

variable "endpoint" {
  description = "http_api or function_url."
  type        = string
  default     = "http_api"
  nullable    = false

  validation {
    condition     = contains(["http_api", "function_url"], var.endpoint)
    error_message = "endpoint must be http_api or function_url."
  }
}

variable "authorization" {
  description = "iam, jwt or token. The page needs jwt or token: a browser cannot sign for IAM."
  type        = string
  default     = "iam"
  nullable    = false

  validation {
    condition     = contains(["iam", "jwt", "token"], var.authorization)
    error_message = "authorization must be iam, jwt or token."
  }

  validation {
    condition     = var.page_path == null || var.authorization != "iam"
    error_message = "The page cannot sign its requests for IAM: use authorization = \"jwt\" or \"token\"."
  }
}

variable "jwt" {
  description = "Issuer and audiences of accepted tokens, with authorization = \"jwt\"."
  type = object({
    issuer   = string
    audience = list(string)
    scopes   = optional(list(string))
  })
  default = null

  validation {
    condition     = var.authorization != "jwt" || var.jwt != null
    error_message = "authorization = \"jwt\" needs jwt."
  }
}

variable "token_secret_arn" {
  description = "Secret or parameter with the bearer token, with authorization = \"token\". Create it outside of terraform."
  type        = string
  default     = null

  validation {
    condition     = var.authorization != "token" || var.token_secret_arn != null
    error_message = "authorization = \"token\" needs token_secret_arn."
  }
}

variable "token_kms_key_arns" {
  description = "KMS key of that secret, where it is your own."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for k in var.token_kms_key_arns : can(regex("^arn:[a-z0-9-]+:kms:", k))])
    error_message = "token_kms_key_arns must be ARNs of KMS keys."
  }
}

variable "batch" {
  description = "Image and network of jobs that are too large for the function. Null: the function does all of them."
  type = object({
    image            = string
    repository_arn   = optional(string)
    vpc_id           = string
    subnet_ids       = list(string)
    assign_public_ip = optional(bool, false)
    spot             = optional(bool, false)
    from_megabytes   = optional(number, 50)
  })
  default = null

  validation {
    condition     = var.batch == null || try(length(var.batch.subnet_ids) > 0, false)
    error_message = "batch needs at least one subnet."
  }
}

variable "page_path" {
  description = "Folder with the built page, such as ../../../web/dist. Null: no page."
  type        = string
  default     = null

  validation {
    condition     = var.page_path == null || try(fileexists("${var.page_path}/index.html"), false)
    error_message = "There is no index.html in page_path. Build the page first."
  }
}

variable "alarm_actions" {
  description = "ARNs that alarms are sent to, usually one SNS topic."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.alarm_actions : startswith(a, "arn:")])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "tags" {
  description = "Tags of every resource, beside Application = jarvis."
  type        = map(string)
  default     = {}
  nullable    = false
}
