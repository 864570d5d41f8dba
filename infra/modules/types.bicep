// Types that several modules use.

@export()
@description('The name and the value of each tag.')
type tagsOf = {
  *: string
}

@export()
@description('The Event Grid system topic that a watched subscription already has. Azure allows one for each subscription.')
type existingTopic = {
  @description('GUID of the watched subscription.')
  @minLength(36)
  @maxLength(36)
  subscription: string

  @description('The name of the topic.')
  name: string

  @description('The name of its resource group in that subscription.')
  resourceGroup: string
}
