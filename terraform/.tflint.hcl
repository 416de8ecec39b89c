# The rules that come with tflint, all of them: types, descriptions, names, versions, files.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
