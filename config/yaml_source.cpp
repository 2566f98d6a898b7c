// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_source.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include "config/source_text.hpp"

namespace forkfleet::config {

namespace {

using schema::fault;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Why `line` cannot be parsed, where the parser's own words do not help.
std::optional<fault> usual_mistake(std::string_view line) {
  const auto indentation = line.substr(0, line.find_first_not_of(" \t"));
  if (indentation.find('\t') != indentation.npos)
    return fault{"a tab indents this line", "indent with spaces"};
  const auto open = line.find('[');
  if (open != line.npos && line.find("]:", open) != line.npos)
    return fault{"is not valid YAML", "quote an IPv6 endpoint: \"[::1]:7711\""};
  const auto value = line.find(": ");
  if (value != line.npos && line.find(": ", value + 2) != line.npos)
    return fault{"is not valid YAML", "quote a text that contains ': '"};
  const auto first = value == line.npos ? 0 : value + 2;
  if (first < line.size()
      && std::string_view{"@`%"}.find(line[first]) != line.npos)
    return fault{
      "is not valid YAML",
      fmt::format("quote a text that begins with '{}'", line[first])};
  return std::nullopt;
}

/// Notes where documents begin, and nothing else.
class document_marks final : public YAML::EventHandler {
public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    marks.push_back(mark);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  std::vector<YAML::Mark> marks = {};
};

/// Where the first two documents begin. Asks for no more: at some texts, such
/// as a lone comma, yaml-cpp stands still and finds documents for ever.
std::vector<YAML::Mark> first_documents(const std::string& text) {
  std::istringstream stream{text};
  YAML::Parser parser{stream};
  document_marks found;
  while (found.marks.size() < 2 && parser.HandleNextDocument(found)) {
  }
  return std::move(found.marks);
}

} // namespace

yaml_source::yaml_source(std::string_view text) : text_{text} {
  order_mark_ = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  lines_.push_back(order_mark_);
  for (std::size_t i = order_mark_; i < text.size(); ++i) {
    if (text[i] == '\n')
      lines_.push_back(i + 1);
    if ((static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u)
      continuations_.push_back(i);
  }
}

std::size_t yaml_source::offset_of(const YAML::Mark& mark) const {
  if (mark.is_null())
    return order_mark_;
  const auto line =
    std::min(static_cast<std::size_t>(mark.line), lines_.size() - 1);
  return std::min(lines_[line] + static_cast<std::size_t>(mark.column),
                  text_.size());
}

place yaml_source::at(const YAML::Mark& mark) const {
  return at_offset(offset_of(mark));
}

place yaml_source::of_element(const YAML::Node& element) const {
  const auto offset = offset_of(element.Mark());
  const auto before = text_.substr(0, offset).find_last_not_of(" \r\n");
  const bool is_dash = before != text_.npos && text_[before] == '-';
  return at_offset(element.IsNull() && is_dash ? before : offset);
}

place yaml_source::at_offset(std::size_t offset) const {
  const auto next = std::upper_bound(lines_.begin(), lines_.end(), offset);
  const auto start = *(next - 1);
  const auto inside =
    std::lower_bound(continuations_.begin(), continuations_.end(), offset)
    - std::lower_bound(continuations_.begin(), continuations_.end(), start);
  return {static_cast<std::size_t>(next - lines_.begin()),
          offset - start - static_cast<std::size_t>(inside) + 1};
}

bool yaml_source::is_unclosed_quote(const YAML::Mark& mark) const {
  const auto rest = text_.substr(offset_of(mark));
  if (!rest.starts_with('"') && !rest.starts_with('\''))
    return false;
  const auto quote = rest.front();
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (quote == '"' && rest[i] == '\\')
      ++i;
    else if (rest[i] == quote && rest.substr(i + 1).starts_with(quote)
             && quote == '\'')
      ++i;
    else if (rest[i] == quote)
      return false;
  }
  return true;
}

void yaml_source::explain(const YAML::Exception& error,
                          problem_list& problems) const {
  const auto where = at(error.mark);
  const auto start = lines_[where.line - 1];
  auto line = text_.substr(start, text_.find('\n', start) - start);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  if (dynamic_cast<const YAML::DeepRecursion*>(&error) != nullptr)
    problems.add("", where, {"is nested too deeply"});
  else if (const auto usual = usual_mistake(line))
    problems.add("", where, *usual);
  else if (error.msg.find("anchor") != std::string::npos)
    problems.add("", where, {error.msg, "quote a text that begins with '*'"});
  else
    problems.add("", where,
                 {fmt::format("is not valid YAML: {}", error.msg),
                  "check indentation and quotes here and above"});
}

std::optional<YAML::Node>
yaml_source::parse_documents(problem_list& problems) const {
  const std::string text{text_};
  const auto found = first_documents(text);
  if (found.size() == 2) {
    const bool stands_still = found[0].pos == found[1].pos;
    problems.add("", at(found[1]),
                 stands_still
                   ? fault{"is not valid YAML", "begin with 'version: 1'"}
                   : fault{"a second document begins here",
                           "remove '---', or check the indentation"});
    return std::nullopt;
  }
  auto root = YAML::Load(text);
  if (root.IsMap())
    return root;
  if (root.IsNull())
    problems.add("", {}, {"is empty", "begin with 'version: 1'"});
  else
    problems.add("", at(root.Mark()),
                 {"must be a map of keys", "begin with 'version: 1'"});
  return std::nullopt;
}

std::optional<YAML::Node> yaml_source::parse(problem_list& problems) const {
  if (const auto bad = find_bad_utf8(text_)) {
    problems.add("", place_of(text_, *bad),
                 {"is not UTF-8 from here on", "save it as UTF-8"});
    return std::nullopt;
  }
  if (const auto control = find_control(text_)) {
    problems.add("", place_of(text_, *control),
                 {fmt::format("has a control character, number {}",
                              static_cast<int>(text_[*control]))});
    return std::nullopt;
  }
  try {
    return parse_documents(problems);
  } catch (const YAML::Exception& error) {
    explain(error, problems);
    return std::nullopt;
  }
}

} // namespace forkfleet::config
