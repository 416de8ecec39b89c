output "url" {
  description = "Where the page is."
  value       = "https://${try(var.domain_names[0], aws_cloudfront_distribution.page.domain_name)}"
}

output "distribution_id" {
  description = "Id of the distribution, to invalidate its cache by."
  value       = aws_cloudfront_distribution.page.id
}

output "bucket_name" {
  description = "Name of the bucket with the files of the page."
  value       = aws_s3_bucket.page.id
}
