output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.function.arn
}

output "url" {
  description = "Where predictions are answered, without a slash at the end."
  value = trimsuffix(
    var.endpoint == "http_api" ? aws_apigatewayv2_api.this[0].api_endpoint : aws_lambda_function_url.this[0].function_url,
    "/",
  )
}

output "domain" {
  description = "Host name of url: the API origin of the module web."
  value = split("/", trimprefix(
    var.endpoint == "http_api" ? aws_apigatewayv2_api.this[0].api_endpoint : aws_lambda_function_url.this[0].function_url,
    "https://",
  ))[0]
}

output "policy" {
  description = "What the function may do."
  value       = module.function.policy
}
