// Alerts on the audit log. Each fires when its query has a row; the tests feed each rows that must and must not fire it.
param location string
param logWorkspaceResourceId string
param alertEmail string
param tags object

var alerts = [
  {
    name: 'remediation-failed'
    severity: 2
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    summary: 'Azure refused a change.'
    query: loadTextContent('../queries/remediation-failed.kql')
  }
  {
    name: 'withheld-by-guard'
    severity: 3
    evaluationFrequency: 'PT1H'
    windowSize: 'PT1H'
    summary: 'A guard kept a change from being made.'
    query: loadTextContent('../queries/withheld-by-guard.kql')
  }
  {
    name: 'contested-change'
    severity: 2
    evaluationFrequency: 'PT1H'
    windowSize: 'PT1H'
    summary: 'Somebody keeps reverting a change.'
    query: loadTextContent('../queries/contested-change.kql')
  }
  {
    name: 'nothing-heard'
    severity: 1
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    summary: 'No audit row for a day.'
    query: loadTextContent('../queries/nothing-heard.kql')
  }
  {
    name: 'poison-work'
    severity: 2
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    summary: 'Work failed five times and was put aside.'
    query: loadTextContent('../queries/poison-work.kql')
  }
  {
    name: 'sweep-overdue'
    severity: 2
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    summary: 'No sweep was completed for 13 hours, or one ended incomplete.'
    query: loadTextContent('../queries/sweep-overdue.kql')
  }
  {
    name: 'grants-above-usual'
    severity: 2
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    summary: 'Far more grants than usual.'
    query: loadTextContent('../queries/grants-above-usual.kql')
  }
  {
    name: 'audit-ingestion-failing'
    severity: 1
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    summary: 'Rows do not reach the audit log.'
    query: loadTextContent('../queries/audit-ingestion-failing.kql')
  }
  {
    name: 'identity-lost-role'
    severity: 1
    evaluationFrequency: 'PT15M'
    windowSize: 'PT30M'
    summary: 'The app\'s identity lacks a right.'
    query: loadTextContent('../queries/identity-lost-role.kql')
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-amlguard'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'amlguard'
    enabled: true
    emailReceivers: empty(alertEmail) ? [] : [
      {
        name: 'owner'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: 'amlguard-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'amlguard: ${alert.name}'
    description: '${alert.summary} Runbook: docs/runbooks/${alert.name}.md'
    severity: alert.severity
    enabled: true
    autoMitigate: true
    // StorageQueueLogs and DCRLogErrors exist only once something was written there.
    skipQueryValidation: true
    scopes: [
      logWorkspaceResourceId
    ]
    evaluationFrequency: alert.evaluationFrequency
    windowSize: alert.windowSize
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]

output actionGroupId string = people.id
