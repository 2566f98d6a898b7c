// SPDX-License-Identifier: Apache-2.0
#include "node/bench/csv.hpp"

namespace forkfleet::bench {

namespace {

std::string cell(const schema::json& value) {
  if (!value.is_string())
    return schema::dump(value);
  const auto text = value.get<std::string>();
  if (text.find_first_of(",\"\n\r") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (const char c : text)
    quoted += c == '"' ? std::string{"\"\""} : std::string{c};
  return quoted + '"';
}

} // namespace

std::string csv_of(const schema::json& records) {
  if (records.empty())
    return {};
  std::string text;
  for (const auto& [name, value] : records.front().items())
    text += (text.empty() ? "" : ",") + name;
  text += '\n';
  for (const auto& record : records) {
    std::string line;
    for (const auto& [name, value] : record.items())
      line += (line.empty() ? "" : ",") + cell(value);
    text += line + '\n';
  }
  return text;
}

} // namespace forkfleet::bench
