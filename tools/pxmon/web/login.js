// Trades the token for the cookie of this session.
const said = document.getElementById("said");

document.getElementById("login").addEventListener("submit", async event => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  try {
    const reply = await fetch("/login", {method: "POST", headers: {Authorization: `Bearer ${token}`}});
    if (reply.ok)
      location.replace("/");
    else
      said.textContent = (await reply.text()).trim();
  } catch {
    said.textContent = "pxmon does not answer";
  }
});
