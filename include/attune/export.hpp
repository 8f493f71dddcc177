// ATTUNE_API marks what the shared library exports; everything else is hidden.
#pragma once

#if defined(__GNUC__)
#define ATTUNE_API __attribute__((visibility("default")))
#else
#define ATTUNE_API
#endif
