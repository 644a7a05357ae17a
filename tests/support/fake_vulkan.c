/* A Vulkan loader without Vulkan, for the tests alone: behaves by what the name of the driver's manifest says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAST = 2 };

static struct {
  uint32_t kind;
  const char *name;
} adapters[LAST] = {{2, "Fake RTX"}, {4, "Fake pipe"}}; /* discrete, CPU */

static int says(const char *word) {
  const char *drivers = getenv("VK_DRIVER_FILES");
  return drivers != NULL && strstr(drivers, word) != NULL;
}

int vkCreateInstance(const void *request, const void *allocator, void **instance) {
  if (says("crash")) abort();
  if (says("hang")) pause();
  if (says("chatty")) puts("{\"loader\": \"a lie\", \"adapters\": []}"), fflush(stdout);
  *instance = adapters;
  return says("incompatible") ? -9 : 0;
}

int vkEnumeratePhysicalDevices(void *instance, uint32_t *count, void **devices) {
  if (says("none")) return *count = 0;
  for (uint32_t i = 0; i < LAST; ++i) devices[i] = &adapters[i];
  *count = LAST;
  return 0;
}

void vkGetPhysicalDeviceProperties(void *device, char *properties) {
  memset(properties, 0, 824);
  memcpy(properties + 16, device, sizeof(uint32_t));
  strcpy(properties + 20, adapters[(uint32_t *)device == &adapters[1].kind].name);
}
