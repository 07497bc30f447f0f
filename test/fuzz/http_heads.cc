// Heads: one verdict however they are cut, spans that cover the head, a reading of the framing that
// a second, naive reader shares, and a forwarded head that parses to the same.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "http/parse.h"
#include "http_checks.h"

namespace sluice::http_fuzz {
namespace {

using http::Field;
using http::Framing;
using http::HeadLimits;
using http::Method;
using http::Parsed;
using http::Refusal;
using http::RequestHead;
using http::ResponseHead;
using http::Span;

template <typename Head>
struct Outcome {
  Parsed parsed = Parsed::incomplete;
  Refusal why = Refusal::none;
  Head head;
};

Parsed parse(std::string_view text, uint32_t* scanned, Method, Outcome<RequestHead>* out) {
  const auto copy = exact_copy(text);
  return http::parse_request(copy.get(), static_cast<uint32_t>(text.size()), scanned, HeadLimits{},
                             &out->head, &out->why);
}
Parsed parse(std::string_view text, uint32_t* scanned, Method method, Outcome<ResponseHead>* out) {
  const auto copy = exact_copy(text);
  return http::parse_response(copy.get(), static_cast<uint32_t>(text.size()), scanned, HeadLimits{},
                              method, &out->head, &out->why);
}

template <typename Head>
Outcome<Head> parse_whole(std::string_view text, Method method) {
  Outcome<Head> out;
  uint32_t scanned = 0;
  out.parsed = parse(text, &scanned, method, &out);
  return out;
}

template <typename Head>
Outcome<Head> parse_in_pieces(std::string_view text, Method method, Prng& prng, uint32_t most,
                              std::string* wrong) {
  Outcome<Head> out;
  uint32_t scanned = 0;
  size_t there = 0;
  for (;;) {
    there = std::min<size_t>(text.size(), there + 1 + prng.below(most));
    const uint32_t before = scanned;
    out.parsed = parse(text.substr(0, there), &scanned, method, &out);
    if (scanned > there || scanned < before) *wrong = "scanned goes astray";
    if (out.parsed == Parsed::incomplete && there - scanned > 3) *wrong = "scanned stays behind";
    if (out.parsed != Parsed::incomplete || there == text.size()) return out;
  }
}

std::string_view at(std::string_view text, Span span) {
  return text.substr(span.offset, span.bytes);
}

template <typename Head>
bool same(const Outcome<Head>& a, const Outcome<Head>& b) {
  if (a.parsed != b.parsed || a.why != b.why) return false;
  if (a.parsed != Parsed::complete) return true;
  const auto equal = [](const Field& x, const Field& y) {
    return x.line.offset == y.line.offset && x.line.bytes == y.line.bytes &&
           x.value.offset == y.value.offset && x.value.bytes == y.value.bytes &&
           x.name_bytes == y.name_bytes && x.name == y.name && x.dropped == y.dropped;
  };
  return a.head.bytes == b.head.bytes && a.head.framing == b.head.framing &&
         a.head.content_length == b.head.content_length && a.head.keep_alive == b.head.keep_alive &&
         a.head.field_count == b.head.field_count &&
         std::equal(a.head.fields, a.head.fields + a.head.field_count, b.head.fields, equal);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

struct NaiveField {
  std::string name;
  std::string value;
};

// Splits the lines without any of the parser's help.
std::vector<NaiveField> read_naively(std::string_view head) {
  std::vector<NaiveField> fields;
  size_t start = head.find("HTTP/1.");
  start = head.find("\r\n", start) + 2;
  while (start < head.size()) {
    const size_t end = head.find("\r\n", start);
    if (end == start) break;
    const std::string_view line = head.substr(start, end - start);
    const size_t colon = line.find(':');
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    const size_t last = line.find_last_not_of(" \t");
    const bool empty = first == std::string_view::npos;
    fields.push_back({lower(line.substr(0, colon)),
                      empty ? "" : std::string(line.substr(first, last + 1 - first))});
    start = end + 2;
  }
  return fields;
}

// Every byte of an accepted head is text or part of a CRLF.
bool is_clean(std::string_view head) {
  for (size_t i = 0; i < head.size(); i++) {
    const auto c = static_cast<uint8_t>(head[i]);
    if (c == '\r' && i + 1 < head.size() && head[i + 1] == '\n') {
      i++;
    } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
      return false;
    }
  }
  return true;
}

template <typename Head>
std::string check_spans(std::string_view text, const Head& head) {
  if (head.bytes > text.size() || !text.substr(0, head.bytes).ends_with("\r\n\r\n")) {
    return "the head does not end with an empty line";
  }
  const std::string_view bytes = text.substr(0, head.bytes);
  if (!is_clean(bytes)) return "a control byte was accepted";
  const std::vector<NaiveField> naive = read_naively(bytes);
  if (naive.size() != head.field_count) return "the number of fields differs";
  uint32_t next = head.bytes - 2;
  for (uint32_t i = head.field_count; i-- > 0;) {
    const Field& field = head.fields[i];
    if (field.line.offset + field.line.bytes != next) return "the lines leave a gap";
    next = field.line.offset;
    const std::string_view line = at(bytes, field.line);
    if (!line.ends_with("\r\n") || line[field.name_bytes] != ':') return "a line is cut wrongly";
    if (lower(line.substr(0, field.name_bytes)) != naive[i].name) return "a name differs";
    if (at(bytes, field.value) != naive[i].value) return "a value differs";
  }
  if (next < 2 || bytes.substr(next - 2, 2) != "\r\n") return "the lines do not start after one";
  return "";
}

template <typename Head>
std::string check_framing(std::string_view text, const Head& head, bool bodiless) {
  uint32_t lengths = 0;
  uint32_t encodings = 0;
  std::string length;
  for (const NaiveField& field : read_naively(text.substr(0, head.bytes))) {
    if (field.name == "content-length") lengths++, length = field.value;
    if (field.name == "transfer-encoding") encodings++;
    if (field.name == "transfer-encoding" && lower(field.value) != "chunked") return "an encoding";
  }
  if (lengths + encodings > 1) return "two framings were accepted";
  if (lengths == 1 && length.find_first_not_of("0123456789") != std::string::npos)
    return "a length";
  if (lengths == 1 &&
      std::to_string(head.content_length) !=
          length.substr(std::min(length.find_first_not_of('0'), length.size() - 1))) {
    return "the length is read wrongly";
  }
  if (bodiless) return head.framing == Framing::none ? "" : "a body where none is";
  const bool fits = encodings == 1 ? head.framing == Framing::chunked
                    : lengths == 1
                        ? head.framing == Framing::length
                        : head.framing != Framing::chunked && head.framing != Framing::length;
  return fits ? "" : "the framing differs";
}

// Nothing that is ours or the sender's alone is kept.
template <typename Head>
std::string check_dropped(std::string_view text, const Head& head) {
  std::string named =
      ",connection,keep-alive,proxy-connection,te,upgrade,transfer-encoding,"
      "content-length,http2-settings,";
  for (const NaiveField& field : read_naively(text.substr(0, head.bytes))) {
    if (field.name != "connection") continue;
    for (const char c : field.value + ",") {
      if (c != ' ' && c != '\t') named += lower(std::string(1, c));
    }
  }
  for (uint32_t i = 0; i < head.field_count; i++) {
    const Field& field = head.fields[i];
    const std::string name = lower(at(text, field.line).substr(0, field.name_bytes));
    const bool underscore = std::is_same_v<Head, RequestHead> && name.find('_') != name.npos;
    const bool expected = underscore || named.find("," + name + ",") != named.npos;
    if (field.dropped != expected) return name + " is dropped, or not, wrongly";
  }
  return "";
}

// What a proxy sends on: the kept lines, and the framing anew.
template <typename Head>
std::string forwarded(std::string_view text, const Head& head, std::string start) {
  for (uint32_t i = 0; i < head.field_count; i++) {
    if (!head.fields[i].dropped) start += at(text, head.fields[i].line);
  }
  if (head.framing == Framing::chunked) start += "Transfer-Encoding: chunked\r\n";
  if (head.framing == Framing::length) {
    start += "Content-Length: " + std::to_string(head.content_length) + "\r\n";
  }
  return start + "\r\n";
}

template <typename Head>
std::string compare_forwarded(std::string_view text, const Head& head, const std::string& sent,
                              const Outcome<Head>& again) {
  if (again.parsed != Parsed::complete) return "the forwarded head is refused: " + sent;
  // A length without a body (HEAD, 304) is the sender's to repeat or not.
  const bool other_length =
      head.framing == Framing::length && again.head.content_length != head.content_length;
  if (again.head.framing != head.framing || other_length) {
    return "the forwarded head is framed otherwise: " + sent;
  }
  uint32_t other = 0;
  for (uint32_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].dropped) continue;
    if (at(text, head.fields[i].line) != at(sent, again.head.fields[other].line)) {
      return "the forwarded head has other fields: " + sent;
    }
    if (again.head.fields[other++].dropped) return "a kept field is dropped by the next: " + sent;
  }
  return "";
}

std::string check_forwarded(std::string_view text, const RequestHead& head, Method method) {
  std::string start(at(text, head.method_text));
  start += " ";
  start += at(text, head.path);
  start += head.minor_version == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
  const std::string sent = forwarded(text, head, start);
  const auto again = parse_whole<RequestHead>(sent, method);
  if (again.parsed == Parsed::complete &&
      (at(sent, again.head.path) != at(text, head.path) || again.head.method != head.method)) {
    return "the forwarded request line differs: " + sent;
  }
  return compare_forwarded(text, head, sent, again);
}

std::string check_forwarded(std::string_view text, const ResponseHead& head, Method method) {
  std::string start = head.minor_version == 1 ? "HTTP/1.1 " : "HTTP/1.0 ";
  start += std::to_string(head.status) + " ";
  start += at(text, head.reason);
  const std::string sent = forwarded(text, head, start + "\r\n");
  return compare_forwarded(text, head, sent, parse_whole<ResponseHead>(sent, method));
}

std::string check_host(std::string_view text, const RequestHead& head) {
  uint32_t hosts = 0;
  for (const NaiveField& field : read_naively(text.substr(0, head.bytes))) {
    if (field.name != "host") continue;
    hosts++;
    if (at(text, head.authority) != field.value) return "the authority is not Host's";
  }
  const bool fits = hosts == 1 || (hosts == 0 && head.minor_version == 0);
  return fits ? "" : "the number of Hosts";
}
std::string check_host(std::string_view, const ResponseHead&) {
  return "";
}

bool is_bodiless(const RequestHead&, Method) {
  return false;
}
bool is_bodiless(const ResponseHead& head, Method method) {
  return method == Method::head || head.status < 200 || head.status == 204 || head.status == 304;
}

template <typename Head>
std::string check_head(const std::string& text, Method method, Prng& prng, Tally* tally,
                       uint64_t* accepted) {
  const auto whole = parse_whole<Head>(text, method);
  std::string wrong;
  for (const uint32_t most : {1u, 5u, 60u, 3000u}) {
    if (most == 1 && text.size() > 600) continue;
    auto pieces = parse_in_pieces<Head>(text, method, prng, most, &wrong);
    // In pieces some faults are noticed only when the head has ended, and this one has not.
    if (pieces.parsed == Parsed::incomplete && whole.parsed == Parsed::refused) {
      pieces = parse_in_pieces<Head>(text + "\r\n\r\n", method, prng, most, &wrong);
    }
    if (!wrong.empty()) return wrong;
    if (!same(whole, pieces)) return "another verdict in pieces";
  }
  if (whole.parsed == Parsed::incomplete) {
    tally->incomplete++;
    return "";
  }
  // What follows makes no difference.
  const std::string more = text + (prng.one_in(2) ? "\r\n \r\n\r\n" : "GET / HTTP/1.1\r\n\r\n");
  if (!same(whole, parse_whole<Head>(more, method))) return "what follows the head matters";
  if (whole.parsed == Parsed::refused) {
    tally->refused[static_cast<uint32_t>(whole.why)]++;
    return whole.why == Refusal::none ? "refused without a reason" : "";
  }
  ++*accepted;
  const Head& head = whole.head;
  wrong = check_spans(text, head);
  if (wrong.empty()) wrong = check_framing(text, head, is_bodiless(head, method));
  if (wrong.empty()) wrong = check_host(text, head);
  if (wrong.empty()) wrong = check_dropped(text, head);
  return wrong.empty() ? check_forwarded(text, head, method) : wrong;
}

}  // namespace

std::string check_request(const std::string& text, Prng& prng, Tally* tally) {
  return check_head<RequestHead>(text, Method::get, prng, tally, &tally->accepted[0]);
}

std::string check_response(const std::string& text, Prng& prng, Tally* tally) {
  const Method method = prng.one_in(6) ? Method::head : Method::get;
  return check_head<ResponseHead>(text, method, prng, tally, &tally->accepted[1]);
}

}  // namespace sluice::http_fuzz
