# The endpoint as a Function URL: no gateway to pay for, IAM or bearer-token authorisation, no throttling but the
# function's own concurrency.

locals {
  function_url = var.endpoint == "function_url" ? 1 : 0
}

resource "aws_lambda_function_url" "this" {
  count = local.function_url

  function_name      = module.function.name
  authorization_type = var.authorization == "iam" ? "AWS_IAM" : "NONE"
  invoke_mode        = "BUFFERED"

  dynamic "cors" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      allow_origins = cors.value
      allow_methods = ["GET", "POST"]
      allow_headers = ["authorization", "content-type"]
      max_age       = 3600
    }
  }
}

# With IAM: who may call, besides those in the account whose own policies say so. Since October 2025 AWS asks for both
# actions on a new URL.
resource "aws_lambda_permission" "url_iam" {
  for_each = toset(var.endpoint == "function_url" && var.authorization == "iam" ? var.invoker_arns : [])

  statement_id_prefix    = "url-"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function.name
  principal              = each.value
  function_url_auth_type = "AWS_IAM"
}

resource "aws_lambda_permission" "invoke_iam" {
  for_each = toset(var.endpoint == "function_url" && var.authorization == "iam" ? var.invoker_arns : [])

  statement_id_prefix = "invoke-"
  action              = "lambda:InvokeFunction"
  function_name       = module.function.name
  principal           = each.value
}

# With a bearer token the URL is open to all at AWS, and the function refuses who does not bring the token, on whatever
# way the request came.
resource "aws_lambda_permission" "url_token" {
  count = var.endpoint == "function_url" && var.authorization == "token" ? 1 : 0

  statement_id           = "url-token"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function.name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "invoke_token" {
  count = var.endpoint == "function_url" && var.authorization == "token" ? 1 : 0

  statement_id  = "invoke-token"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "*"
}
