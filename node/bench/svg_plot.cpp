// SPDX-License-Identifier: Apache-2.0
#include "node/bench/svg_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace forkfleet::bench {

namespace {

constexpr double width = 900;
constexpr double height = 380;
constexpr double left = 70;
constexpr double right = 640; // the legend stands beside it
constexpr double top = 40;
constexpr double bottom = 330;

// Told apart by people who see no red or green.
constexpr std::array<std::string_view, 8> colours{
  "#0072b2", "#d55e00", "#009e73", "#cc79a7",
  "#e69f00", "#56b4e9", "#000000", "#999999"};

/// The least and the greatest power of ten that hold all points, and how far
/// x goes.
struct frame {
  int low = -1;
  int high = 1;
  double x_min = 0;
  double x_max = 1;

  double place_x(double x) const {
    return left + (x - x_min) / (x_max - x_min) * (right - left);
  }
  double place_y(double y) const {
    const auto least = std::pow(10.0, low);
    const auto share = (std::log10(std::max(y, least)) - low) / (high - low);
    return bottom - share * (bottom - top);
  }
};

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text)
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      default:
        result += c;
    }
  return result;
}

std::string label(double x, double y, std::string_view anchor,
                  std::string_view text, std::string_view more = "") {
  return fmt::format(
    "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
    anchor, more, escaped(text));
}

std::string rule(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" "
                     "y2=\"{:.1f}\" stroke=\"#dddddd\"/>\n",
                     x1, y1, x2, y2);
}

frame frame_of(const plot& what) {
  double y_min = 1e300;
  double y_max = 0;
  double x_min = 1e300;
  double x_max = -1e300;
  for (const auto& series : what.series)
    for (const auto& point : series.points) {
      x_min = std::min(x_min, point.x);
      x_max = std::max(x_max, point.x);
      if (point.y > 0)
        y_min = std::min(y_min, point.y);
      y_max = std::max(y_max, point.y);
    }
  if (y_max <= 0)
    return {};
  frame result;
  result.low = static_cast<int>(std::floor(std::log10(y_min)));
  result.high =
    std::max(result.low + 1, static_cast<int>(std::ceil(std::log10(y_max))));
  result.x_min = x_min;
  result.x_max = x_max > x_min ? x_max : x_min + 1;
  return result;
}

std::string axes(const plot& what, const frame& at) {
  auto text = label((left + right) / 2, top - 16, "middle", what.title,
                    " font-weight=\"bold\"");
  for (int power = at.low; power <= at.high; ++power) {
    const auto y = at.place_y(std::pow(10.0, power));
    text += rule(left, y, right, y);
    text +=
      label(left - 6, y + 4, "end", fmt::format("{:g}", std::pow(10.0, power)));
  }
  for (int i = 0; i <= 4; ++i) {
    const auto x = at.x_min + (at.x_max - at.x_min) * i / 4;
    text += rule(at.place_x(x), top, at.place_x(x), bottom);
    text +=
      label(at.place_x(x), bottom + 16, "middle", fmt::format("{:.4g}", x));
  }
  text += label((left + right) / 2, bottom + 36, "middle", what.x_name);
  return text
         + label(0, 0, "middle", what.y_name,
                 fmt::format(" transform=\"translate(18 {:.1f}) rotate(-90)\"",
                             (top + bottom) / 2));
}

std::string drawn(const plot_series& series, const frame& at,
                  std::string_view colour) {
  std::string text;
  if (series.style == plot_style::line) {
    text += "<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"";
    text += std::string{colour} + "\" points=\"";
    for (const auto& point : series.points)
      text +=
        fmt::format("{:.1f},{:.1f} ", at.place_x(point.x), at.place_y(point.y));
    text += "\"/>\n";
  }
  for (const auto& point : series.points)
    text += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.2\" fill=\"{}\"/>\n",
      at.place_x(point.x), at.place_y(point.y), colour);
  return text;
}

std::string legend(std::size_t place, std::string_view name,
                   std::string_view colour) {
  const auto y = top + 12 + 20 * static_cast<double>(place);
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" "
                     "height=\"12\" fill=\"{}\"/>\n",
                     right + 16, y - 10, colour)
         + label(right + 34, y, "start", name);
}

} // namespace

std::string svg_of(const std::vector<plot>& plots) {
  auto text = fmt::format(
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
    "font-family=\"sans-serif\" font-size=\"12\">\n"
    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
    width, height * static_cast<double>(plots.size()));
  for (std::size_t i = 0; i < plots.size(); ++i) {
    const auto at = frame_of(plots[i]);
    text += fmt::format("<g transform=\"translate(0 {})\">\n",
                        height * static_cast<double>(i));
    text += axes(plots[i], at);
    for (std::size_t j = 0; j < plots[i].series.size(); ++j) {
      const auto& series = plots[i].series[j];
      const auto colour = colours[j % colours.size()];
      text += drawn(series, at, colour) + legend(j, series.name, colour);
    }
    text += "</g>\n";
  }
  return text + "</svg>\n";
}

} // namespace forkfleet::bench
