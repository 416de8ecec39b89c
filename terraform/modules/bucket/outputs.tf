output "name" {
  description = "Name of the bucket. What depends on it waits until the bucket is private and versioned."
  value       = var.name

  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_policy.this,
  ]
}

output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
}

output "url" {
  description = "URL for JARVIS_BUCKET and --bucket."
  value       = "s3://${var.name}"
}

output "kms_key_arn" {
  description = "The key that the objects are encrypted with, or null for keys of S3."
  value       = var.kms_key_arn
}
