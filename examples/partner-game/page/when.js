// A moment as people here read it: in their own time zone.
export function when(text, more = {}) {
  const parts = { month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit', ...more };
  return new Intl.DateTimeFormat('zh-CN', { ...parts, hour12: false }).format(new Date(text));
}
