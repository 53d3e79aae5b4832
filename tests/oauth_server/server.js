// A real OAuth 2.0 server at the addresses of Bitbucket. The stand-in forwards them here.
//
//   node server.js CLIENT_SECRET SECONDS [DATA-CENTER]
//
// SECONDS: how long an access token lives. DATA-CENTER: the URL of an instance, in place of Bitbucket Cloud.
//
// Prints the port on which it listens. It rotates refresh tokens, ends a grant whose refresh token comes twice, insists
// on PKCE, and shows its own pages for signing in and consent.

import Provider from 'oidc-provider';

const [secret, seconds, instance] = process.argv.slice(2);
const { origin, pathname } = new URL(instance ?? 'https://bitbucket.org');
// Data Center takes ID and secret in the form, and the scopes from the request.
const routes = instance
  ? { authorization: `${pathname}/rest/oauth2/latest/authorize`, token: `${pathname}/rest/oauth2/latest/token` }
  : { authorization: '/site/oauth2/authorize', token: '/site/oauth2/access_token' };

const provider = new Provider(origin, {
  clients: [
    {
      client_id: 'KEY',
      client_secret: secret,
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1:23418/callback'],
      response_types: ['code'],
      token_endpoint_auth_method: instance ? 'client_secret_post' : 'client_secret_basic',
    },
    // Without a secret: PKCE alone.
    {
      client_id: 'OPEN',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1:23418/callback'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: 'MACHINE',
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: ['for tests only'] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (context, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  routes,
  scopes: ['repository:write', 'REPO_READ', 'REPO_WRITE'],
  ttl: { AccessToken: Number(seconds), ClientCredentials: Number(seconds) },
});
// Nobody asks for a scope: at Bitbucket Cloud the client has them.
provider.use((context, next) => {
  if (!instance && context.path === routes.authorization) context.query = { ...context.query, scope: 'repository:write' };
  return next();
});
// TLS ends at the stand-in.
provider.proxy = true;
// Whoever started it has gone.
process.stdin.on('end', () => process.exit()).resume();
const server = provider.listen(0, '127.0.0.1', () => console.log(server.address().port));
