# What a person should hear about: failures, refused invocations, and slowness.

locals {
  alarms = {
    errors = {
      description = "Invocations of ${var.name} fail."
      metric      = "Errors"
      statistic   = "Sum"
      percentile  = null
      threshold   = var.alarms.errors
      periods     = 1
    }
    throttles = {
      description = "Invocations of ${var.name} are refused for lack of concurrency."
      metric      = "Throttles"
      statistic   = "Sum"
      percentile  = null
      threshold   = var.alarms.throttles
      periods     = 1
    }
    duration = {
      description = "One invocation of ${var.name} in a hundred takes too long."
      metric      = "Duration"
      statistic   = null
      percentile  = "p99"
      threshold   = coalesce(var.alarms.p99_ms, var.timeout_seconds * 800)
      periods     = 3
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = var.name }
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
