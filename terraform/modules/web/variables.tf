variable "name" {
  description = "Stem of the names of policies and functions at CloudFront."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,50}$", var.name))
    error_message = "A name has 1 to 50 letters, digits, hyphens and underscores."
  }
}

variable "bucket_name" {
  description = "Name of the bucket for the files of the page, unique in all of S3; not the one with the models."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "A bucket name has 3 to 63 lower-case letters, digits and hyphens, and starts and ends with a letter or digit."
  }
}

variable "files_path" {
  description = "Folder with the built page (web/dist), which is uploaded. Null: upload it yourself."
  type        = string
  default     = null

  validation {
    condition     = var.files_path == null || try(fileexists("${var.files_path}/index.html"), false)
    error_message = "There is no index.html in files_path. Run make web first."
  }
}

variable "api_domain" {
  description = "Host name of the API: output domain of the module predict. Null: the page only."
  type        = string
  default     = null

  validation {
    condition     = var.api_domain == null || try(!strcontains(var.api_domain, "/"), false)
    error_message = "api_domain must be a host name, without a scheme and a path."
  }
}

variable "domain_names" {
  description = "Your own names for the page. They need certificate_arn."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for d in var.domain_names : can(regex("^[a-z0-9*][a-z0-9.-]+$", d))])
    error_message = "domain_names must be host names."
  }
}

variable "certificate_arn" {
  description = "ARN of the ACM certificate for domain_names; CloudFront takes it from us-east-1 only."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z0-9-]+:acm:us-east-1:", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in us-east-1."
  }

  validation {
    condition     = length(var.domain_names) == 0 || var.certificate_arn != null
    error_message = "domain_names need a certificate: set certificate_arn."
  }
}

variable "content_security_policy" {
  description = "Content-Security-Policy of the page. WebAssembly needs 'wasm-unsafe-eval', the Worker needs worker-src."
  type        = string
  default     = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
  nullable    = false

  validation {
    condition     = strcontains(var.content_security_policy, "default-src") && !strcontains(var.content_security_policy, "'unsafe-eval'")
    error_message = "content_security_policy needs a default-src, and must not allow 'unsafe-eval'."
  }
}

variable "price_class" {
  description = "Where CloudFront serves from: PriceClass_100 (North America, Europe), PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"
  nullable    = false

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "web_acl_arn" {
  description = "ARN of a WAF web ACL (scope CLOUDFRONT). Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:[a-z0-9-]+:wafv2:us-east-1:", var.web_acl_arn))
    error_message = "web_acl_arn must be the ARN of a WAFv2 web ACL in us-east-1."
  }
}

variable "log_bucket_domain" {
  description = "Domain name of the bucket for access logs, such as logs.s3.amazonaws.com. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.log_bucket_domain == null || can(regex("\\.s3[.-]", var.log_bucket_domain))
    error_message = "log_bucket_domain must be the domain name of a bucket."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
