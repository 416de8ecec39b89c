# What could not be done, with the event that asked for it: after Lambda's own tries, and from Batch after its own.

resource "aws_sqs_queue" "failed" {
  name                              = local.queue
  message_retention_seconds         = 14 * 24 * 3600
  sqs_managed_sse_enabled           = var.queue_kms_key_arn == null ? true : null
  kms_master_key_id                 = var.queue_kms_key_arn
  kms_data_key_reuse_period_seconds = var.queue_kms_key_arn == null ? null : 300
  tags                              = var.tags
}

resource "aws_sqs_queue_policy" "failed" {
  queue_url = aws_sqs_queue.failed.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyPlainHTTP"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for rule in aws_cloudwatch_event_rule.batch_failed : {
        Sid       = "FailedJobs"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arn
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:${data.aws_partition.current.partition}:events:${local.scope}:rule/${rule.name}" } }
      }],
    )
  })
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = module.function.name
  maximum_retry_attempts       = var.retries
  maximum_event_age_in_seconds = 6 * 3600

  destination_config {
    on_failure {
      destination = local.queue_arn
    }
  }

  depends_on = [aws_sqs_queue.failed]
}

resource "aws_cloudwatch_event_rule" "batch_failed" {
  count = var.batch == null ? 0 : 1

  name        = "${var.name}-batch-failed"
  description = "Training jobs that failed in AWS Batch."
  tags        = var.tags

  event_pattern = jsonencode({
    source        = ["aws.batch"]
    "detail-type" = ["Batch Job State Change"]
    detail = {
      status   = ["FAILED"]
      jobQueue = [var.batch.job_queue_arn]
    }
  })
}

resource "aws_cloudwatch_event_target" "batch_failed" {
  count = var.batch == null ? 0 : 1

  rule      = aws_cloudwatch_event_rule.batch_failed[0].name
  target_id = "failed"
  arn       = local.queue_arn

  depends_on = [aws_sqs_queue_policy.failed]
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${local.queue}-depth"
  alarm_description   = "Uploads or training jobs failed for good; their events wait in ${local.queue}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.queue }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
