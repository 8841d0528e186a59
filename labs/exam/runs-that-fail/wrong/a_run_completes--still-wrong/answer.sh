kubectl patch cronjob @{name} --type json -p '[
@% if fault == "account" %@
  {"op": "replace", "path": "/spec/jobTemplate/spec/template/spec/serviceAccountName", "value": "@{name}"},
@% elif fault == "volume" %@
  {"op": "replace", "path": "/spec/jobTemplate/spec/template/spec/volumes/0", "value": {"name": "work", "emptyDir": {}}},
@% endif %@
  {"op": "replace", "path": "/spec/jobTemplate/spec/activeDeadlineSeconds", "value": @{5 if fault == "deadline" else 15}}]'
