variable "name" {
  description = "Name of the compute environment, the queue, the job definition and the job's role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,58}$", var.name))
    error_message = "A name has 1 to 58 letters, digits, hyphens and underscores."
  }
}

variable "image" {
  description = "Container image with its tag or digest, built from infra/deploy/Dockerfile."
  type        = string

  validation {
    condition     = can(regex("^[^\\s]+(:[^:/\\s]+|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image needs a tag that is not latest, or a digest: a job must run what was tested."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository that the image is pulled from. Null: a public image."
  type        = string
  default     = null

  validation {
    condition     = var.repository_arn == null || can(regex("^arn:[a-z0-9-]+:ecr:[^:]+:[0-9]{12}:repository/", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository."
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

variable "write_prefixes" {
  description = "Parts of the bucket that a job reads, writes and deletes: registry, blobs, datasets, inbox, quarantine."
  type        = list(string)
  default     = ["blobs/", "datasets/", "index/", "inbox/", "jobs/", "models/", "quarantine-blobs/", "quarantine/"]
  nullable    = false

  validation {
    condition     = length(var.write_prefixes) > 0 && alltrue([for p in var.write_prefixes : endswith(p, "/")])
    error_message = "write_prefixes must name at least one folder, with a slash at the end."
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

variable "vpc_id" {
  description = "VPC that jobs run in."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC."
  }
}

variable "subnet_ids" {
  description = "Subnets that jobs run in. They must reach S3, ECR and CloudWatch Logs: by a NAT gateway, VPC endpoints or public addresses."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for s in var.subnet_ids : startswith(s, "subnet-")])
    error_message = "subnet_ids must be at least one id of a subnet."
  }
}

variable "assign_public_ip" {
  description = "Give each job a public address: the cheap way out of a public subnet. Nothing can come in either way."
  type        = bool
  default     = false
  nullable    = false
}

variable "architecture" {
  description = "Processor that the image was built for: ARM64 or X86_64. Spot capacity of Fargate comes in both."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "architecture must be ARM64 or X86_64."
  }
}

variable "vcpus" {
  description = "Processors of a job; what Fargate offers."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = contains([0.25, 0.5, 1, 2, 4, 8, 16], var.vcpus)
    error_message = "vcpus must be 0.25, 0.5, 1, 2, 4, 8 or 16."
  }
}

variable "memory_mb" {
  description = "Memory of a job in MB; what Fargate offers with that many processors."
  type        = number
  default     = 16384
  nullable    = false

  validation {
    condition = contains(lookup({
      "0.25" = [512, 1024, 2048]
      "0.5"  = range(1024, 4097, 1024)
      "1"    = range(2048, 8193, 1024)
      "2"    = range(4096, 16385, 1024)
      "4"    = range(8192, 30721, 1024)
      "8"    = range(16384, 61441, 4096)
      "16"   = range(32768, 122881, 8192)
    }, tostring(var.vcpus), []), var.memory_mb)
    error_message = "Fargate does not offer this memory_mb with this number of vcpus."
  }
}

variable "scratch_gb" {
  description = "Size of the job's /tmp in GiB, 21 to 200."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.scratch_gb >= 21 && var.scratch_gb <= 200
    error_message = "scratch_gb must be from 21 to 200."
  }
}

variable "max_vcpus" {
  description = "Processors that all jobs together may use; more jobs wait in the queue."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.max_vcpus >= 1
    error_message = "max_vcpus must be at least 1."
  }
}

variable "spot" {
  description = "Use spare capacity, which costs less and may be taken back in mid-job; the job is then started again."
  type        = bool
  default     = false
  nullable    = false
}

variable "attempts" {
  description = "Times that a job is started, 1 to 10, when its machine was taken back or its image could not be pulled."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.attempts >= 1 && var.attempts <= 10
    error_message = "attempts must be from 1 to 10."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which one attempt is stopped; at least 60."
  type        = number
  default     = 14400
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 60
    error_message = "timeout_seconds must be at least 60."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles, or null."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z0-9-]+:iam::", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
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

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
