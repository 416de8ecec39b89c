# The endpoint as an API Gateway HTTP API: JWT or IAM authorisation, throttling, access logs, custom domains.

locals {
  http_api = var.endpoint == "http_api" ? 1 : 0

  authorization_type = {
    jwt   = "JWT"
    iam   = "AWS_IAM"
    token = "NONE" # the function itself asks for the bearer token
  }
}

resource "aws_apigatewayv2_api" "this" {
  count = local.http_api

  name          = var.name
  description   = "Jarvis predictions."
  protocol_type = "HTTP"
  tags          = var.tags

  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      allow_origins = cors_configuration.value
      allow_methods = ["GET", "POST"]
      allow_headers = ["authorization", "content-type"]
      max_age       = 3600
    }
  }
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.endpoint == "http_api" && var.authorization == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this[0].id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_integration" "this" {
  count = local.http_api

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.function.arn
  payload_format_version = "2.0"
  timeout_milliseconds   = min(30000, var.timeout_seconds * 1000 + 1000)
}

resource "aws_apigatewayv2_route" "default" {
  count = local.http_api

  api_id               = aws_apigatewayv2_api.this[0].id
  route_key            = "$default"
  target               = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type   = local.authorization_type[var.authorization]
  authorizer_id        = var.authorization == "jwt" ? aws_apigatewayv2_authorizer.jwt[0].id : null
  authorization_scopes = var.authorization == "jwt" ? var.jwt.scopes : null
}

# Access logs hold addresses and paths, no bodies; a key of one's own is a choice (log_kms_key_arn).
#tfsec:ignore:aws-cloudwatch-log-group-customer-key
resource "aws_cloudwatch_log_group" "access" {
  count = local.http_api

  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_stage" "default" {
  count = local.http_api

  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access[0].arn
    format = jsonencode({
      time    = "$context.requestTime"
      id      = "$context.requestId"
      ip      = "$context.identity.sourceIp"
      method  = "$context.httpMethod"
      path    = "$context.path"
      status  = "$context.status"
      bytes   = "$context.responseLength"
      latency = "$context.responseLatency"
      error   = "$context.integrationErrorMessage"
    })
  }

  default_route_settings {
    throttling_burst_limit = var.throttle.burst
    throttling_rate_limit  = var.throttle.rate
  }
}

resource "aws_lambda_permission" "http_api" {
  count = local.http_api

  statement_id  = "http-api"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*"
}
