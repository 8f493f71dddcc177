// Quantities as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace attune::tool {

/// Three digits: "31.2 µs", "1.35 ms", "2.40 s", "12.5 min".
std::string duration(double seconds);

/// Three digits, in powers of 1024: "64 KB", "1.5 GB".
std::string size(double bytes);

/// A sequence length: whole multiples of 1024 as "16k", everything else as its digits.
std::string sequence_length(std::int64_t length);

}  // namespace attune::tool
