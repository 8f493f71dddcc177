// ATTUNE_API marks what the shared library exports; everything else is hidden. A plugin exports nothing of Attune: its
// copy of these classes is its own (see plugin.hpp).
#pragma once

#if defined(__GNUC__) && defined(ATTUNE_PLUGIN_BUILD)
#define ATTUNE_API __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define ATTUNE_API __attribute__((visibility("default")))
#else
#define ATTUNE_API
#endif
