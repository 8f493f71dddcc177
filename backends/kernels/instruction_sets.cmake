# The one list of instruction sets: name | xsimd architecture | compiler flags | what the CPU must have, in the words of
# __builtin_cpu_supports (nothing: every CPU of the architecture has it). Weakest first. Declarations, tests and benches follow from it; CONTRIBUTING.md says where a new name is wanted besides.
# (F16C goes unchecked beside AVX2: every CPU with AVX2 has it, and clang 14 has no word for it.)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
  set(ATTUNE_INSTRUCTION_SETS
    "sse2|xsimd::sse2|-msse2|sse2"
    "avx2|xsimd::fma3<xsimd::avx2>|-mavx2 -mfma -mf16c|avx2 fma"
    "avx512|xsimd::avx512bw|-mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c|avx512f avx512cd avx512dq avx512bw avx512vl"
    "avx512_bf16|xsimd::avx512bw|-mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mfma -mf16c|avx512f avx512cd avx512dq avx512bw avx512vl avx512bf16")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(ATTUNE_INSTRUCTION_SETS
    "neon|xsimd::neon64||")
else()
  message(FATAL_ERROR "Attune has no kernels for ${CMAKE_SYSTEM_PROCESSOR}: add a line to ${CMAKE_CURRENT_LIST_FILE}")
endif()
