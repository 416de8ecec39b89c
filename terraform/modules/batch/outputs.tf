output "job_queue_arn" {
  description = "ARN of the queue."
  value       = local.queue_arn

  depends_on = [aws_batch_job_queue.this]
}

output "job_definition_arn" {
  description = "ARN of the job definition without a revision: permissions on it hold for every revision."
  value       = local.definition_arn
}

output "job_definition_name" {
  description = "Name of the job definition: jobs submitted by it run its newest revision."
  value       = aws_batch_job_definition.this.name
}

output "log_group" {
  description = "Name of the log group of the jobs."
  value       = aws_cloudwatch_log_group.this.name
}
