output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.function.arn
}

output "failed_queue_url" {
  description = "URL of the queue with the events that failed for good."
  value       = aws_sqs_queue.failed.url
}

output "failed_queue_arn" {
  description = "ARN of that queue."
  value       = local.queue_arn
}

output "policy" {
  description = "What the function may do."
  value       = module.function.policy
}
