// SPDX-License-Identifier: Apache-2.0
#include "node/bench/text_table.hpp"

#include <algorithm>

namespace forkfleet::bench {

namespace {

/// Characters, with one of several bytes counted once.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
    std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::vector<std::size_t> widths_of(const text_table& table) {
  std::vector<std::size_t> widths;
  const auto look = [&](const std::vector<std::string>& row) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  };
  look(table.head);
  for (const auto& row : table.rows)
    look(row);
  return widths;
}

std::string plain_row(const std::vector<std::string>& row,
                      const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto space = std::string(widths[i] - width_of(row[i]), ' ');
    line += i == 0 ? row[i] + space : "  " + space + row[i];
  }
  return line + '\n';
}

std::string markdown_row(const std::vector<std::string>& row) {
  std::string line = "|";
  for (const auto& cell : row) {
    line += ' ';
    for (const char c : cell)
      line += c == '|' ? std::string{"\\|"} : std::string{c};
    line += " |";
  }
  return line + '\n';
}

} // namespace

std::string plain_text(const text_table& table) {
  const auto widths = widths_of(table);
  auto text = plain_row(table.head, widths);
  for (const auto& row : table.rows)
    text += plain_row(row, widths);
  return text;
}

std::string markdown(const text_table& table) {
  auto text = markdown_row(table.head);
  text += "|---|";
  for (std::size_t i = 1; i < table.head.size(); ++i)
    text += "---:|";
  text += '\n';
  for (const auto& row : table.rows)
    text += markdown_row(row);
  return text;
}

} // namespace forkfleet::bench
