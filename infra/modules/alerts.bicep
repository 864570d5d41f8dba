// Alerts on the audit log. Each fires when its query returns a row. Tests run each query on rows that must fire it, and
// on rows that must not.
import {tagsOf} from 'types.bicep'

param location string
param logWorkspaceResourceId string

@description('When the app was made, as ARM writes it. Two alerts wait until the app is old enough to have written rows.')
param madeAt string

@description('Mail addresses, separated by commas.')
param alertEmail string

@description('HTTPS addresses, separated by blanks.')
@secure()
param alertWebhook string

param tags tagsOf

// The queries compare this day with `ago`. The deployment replaces it by the day on which the app was made.
var neverMade = 'datetime(1970-01-01T00:00:00Z)'
var emails = filter(split(replace(alertEmail, ' ', ''), ','), one => one != '')
var webhooks = filter(split(alertWebhook, ' '), one => one != '')

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
    summary: 'No audit row arrived for a day.'
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
    name: 'policy-broken'
    severity: 2
    evaluationFrequency: 'PT15M'
    windowSize: 'P1D'
    summary: 'The policy in the storage account is not in force, because it is wrong.'
    query: loadTextContent('../queries/policy-broken.kql')
  }
  {
    name: 'sweep-overdue'
    severity: 2
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    summary: 'No sweep was completed for 13 hours, or one ended as Incomplete.'
    query: loadTextContent('../queries/sweep-overdue.kql')
  }
  {
    name: 'grants-above-usual'
    severity: 2
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    summary: 'amlguard made far more grants than usual.'
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
    emailReceivers: [for (address, place) in emails: {
      name: 'mail-${place + 1}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
    webhookReceivers: [for (address, place) in webhooks: {
      name: 'webhook-${place + 1}'
      serviceUri: address
      useCommonAlertSchema: true
    }]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [for alert in alerts: {
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
    // The tables StorageQueueLogs and DCRLogErrors exist only once something was written to them.
    skipQueryValidation: true
    scopes: [
      logWorkspaceResourceId
    ]
    evaluationFrequency: alert.evaluationFrequency
    windowSize: alert.windowSize
    criteria: {
      allOf: [
        {
          query: contains(alert.query, neverMade) ? replace(alert.query, neverMade, 'datetime(${madeAt})') : alert.query
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
