// Everything a user of Attune needs.
#pragma once

#include <attune/backend.hpp>
#include <attune/engine.hpp>
#include <attune/error.hpp>
#include <attune/executor.hpp>
#include <attune/linear_attention.hpp>
#include <attune/multi_head_attention.hpp>
#include <attune/peak.hpp>
#include <attune/tensor.hpp>
