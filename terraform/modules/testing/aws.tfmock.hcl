# Values that the modules' tests need from AWS. Everything else that AWS would compute is made up by terraform.

mock_data "aws_partition" {
  defaults = {
    partition  = "aws"
    dns_suffix = "amazonaws.com"
  }
}

mock_data "aws_region" {
  defaults = {
    id     = "eu-central-1"
    region = "eu-central-1"
  }
}

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "123456789012"
  }
}

mock_resource "aws_cloudfront_distribution" {
  defaults = {
    arn         = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
    domain_name = "d111111abcdef8.cloudfront.net"
  }
}
