#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "laboratory.h"

namespace lathe::laboratory {

/// For a terminal: how the ways agree, then a table of each batch size.
std::string to_table(const Results& results);

/// {"bits_equal": true, "ways": {"a": {"32": {"step_us": 1.5, ...}}}, ...}; null is what cannot be observed.
nlohmann::json to_json(const Results& results);

/// One self-contained page of those figures: charts, what they mean, and the sources of the ways side by side.
std::string to_html(const nlohmann::json& figures);

}  // namespace lathe::laboratory
