output "bucket_url" {
  description = "What jarvis train --bucket publishes to, and where uploads go: BUCKET/inbox/MODEL/FILE."
  value       = module.bucket.url
}

output "predict_url" {
  description = "Where predictions are answered."
  value       = module.predict.url
}

output "page_url" {
  description = "Where the page is, or null."
  value       = try(module.web[0].url, null)
}

output "failed_queue_url" {
  description = "Queue with uploads and jobs that failed for good."
  value       = module.retrain.failed_queue_url
}
