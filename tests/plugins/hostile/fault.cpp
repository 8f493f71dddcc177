// The fault of one plugin: FAULT is its name.
#include "tests/plugins/hostile/faults.hpp"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const hostile::Fault hostile::fault = hostile::Fault::FAULT;
const char* const hostile::name = TEXT(FAULT);
