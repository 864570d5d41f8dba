// The workbook that docs/generate.py makes from infra/queries.
import {tagsOf} from 'types.bicep'

param location string
param logWorkspaceResourceId string
param tags tagsOf

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'amlguard')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'amlguard'
    category: 'workbook'
    sourceId: logWorkspaceResourceId
    serializedData: loadTextContent('../generated/workbook.json')
  }
}
