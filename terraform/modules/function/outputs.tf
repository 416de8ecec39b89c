output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function, known before it is created."
  value       = local.arn
}

output "role_name" {
  description = "Name of the function's role, to attach more policies to."
  value       = aws_iam_role.this.name
}

output "log_group" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "policy" {
  description = "The role's policy, decoded: what the function may do."
  value       = jsondecode(aws_iam_role_policy.this.policy)
}
