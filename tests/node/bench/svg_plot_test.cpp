// SPDX-License-Identifier: Apache-2.0
#include "node/bench/svg_plot.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1))
    ++count;
  return count;
}

} // namespace

TEST_CASE("every point is drawn, and every series is named", "[node][bench]") {
  const auto text = svg_of({{.title = "a < b",
                             .x_name = "BRANCH",
                             .y_name = "ms",
                             .series = {{"one", {{1, 0.5}, {2, 700}}},
                                        {"two", {{1, 3}}, plot_style::dots}}}});
  CHECK(text.starts_with("<svg "));
  CHECK(text.ends_with("</svg>\n"));
  CHECK(count_of(text, "<circle ") == 3);
  CHECK(count_of(text, "<polyline ") == 1);
  CHECK(text.find("a &lt; b") != std::string::npos);
  CHECK(text.find(">two</text>") != std::string::npos);
  CHECK(text.find("nan") == std::string::npos);
  CHECK(text.find("inf") == std::string::npos);
}

TEST_CASE("nothing, zeros and one point make a plot, too", "[node][bench]") {
  for (const auto& series :
       {plot_series{}, plot_series{"zero", {{1, 0}, {1, 0}}},
        plot_series{"one", {{1, 1}}}}) {
    const auto text = svg_of({{.series = {series}}});
    CHECK(text.find("nan") == std::string::npos);
    CHECK(text.find("inf") == std::string::npos);
  }
}
